/** policy.json: what podman and the others do with registries that registries.conf does not name. */

import { hasEgressLock } from '../egress/examine.ts';
import { get, list, parseJson } from '../node/data.ts';
import { listHomes } from '../node/homes.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';

const CLIENT = 'podman';
const SYSTEM = '/etc/containers/policy.json';

export function examinePolicy(scene: Scene): readonly Hole[] {
  const homes = listHomes(scene.files).map((home) => `${home}/.config/containers/policy.json`);
  const own = homes.filter((file) => scene.files.read(file) !== undefined);
  return [SYSTEM, ...own].flatMap((file) => examineFile(scene, file));
}

function examineFile(scene: Scene, file: string): readonly Hole[] {
  const text = scene.files.read(file);
  const write = 'write "transports": {"docker": {"": [{"type": "reject"}], ...}}';
  if (text === undefined) {
    if (hasEgressLock(scene)) return [];
    const open = 'pulls from registries that registries.conf does not name go directly to them';
    return [{ file, line: 1, client: CLIENT, open, write }];
  }
  const parsed = parseJson(text);
  if (parsed.kind === 'broken') {
    return [
      {
        file,
        line: parsed.line,
        client: CLIENT,
        open: `${parsed.message}: the client ignores the whole file`,
        write,
      },
    ];
  }
  const others = get(parsed.data, 'transports', 'docker', '') ?? get(parsed.data, 'default');
  const isRejected = list(others).some((requirement) => get(requirement, 'type') === 'reject');
  if (isRejected || hasEgressLock(scene)) return [];
  const open = 'it accepts registries that registries.conf does not name, and they are contacted directly';
  return [{ file, line: lineOf(text, '"docker"', /""\s*:/), client: CLIENT, open, write }];
}
