/** The egress rules as files: whether they are there, whole, and loaded by something. */

import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';
import { matchPorts } from './iptables.ts';
import { EGRESS_UNIT, IPTABLES_RULES, NFTABLES_RULES } from './render.ts';

const CLIENT = 'egress';

/** Whether egress rules are in place that no client configuration can bypass. */
export function hasEgressLock(scene: Scene): boolean {
  const { files } = scene;
  if ([IPTABLES_RULES, NFTABLES_RULES].every((file) => files.read(file) === undefined)) return false;
  const isIptablesWhole = files.read(IPTABLES_RULES) !== undefined && examineIptables(scene).length === 0;
  const isNftablesWhole = files.read(NFTABLES_RULES) !== undefined && examineNftables(scene).length === 0;
  return (
    (isIptablesWhole && isLoaded(scene, IPTABLES_RULES)) ||
    (isNftablesWhole && isLoaded(scene, NFTABLES_RULES))
  );
}

export function examineEgress(scene: Scene): readonly Hole[] {
  const there = [IPTABLES_RULES, NFTABLES_RULES].filter((file) => scene.files.read(file) !== undefined);
  const unloaded = there.length > 0 && !there.some((file) => isLoaded(scene, file));
  const [file = IPTABLES_RULES] = there;
  const open = 'these rules are not loaded at boot';
  return [
    ...examineIptables(scene),
    ...examineNftables(scene),
    ...(unloaded ? [{ file, line: 1, client: CLIENT, open, write: `write ${EGRESS_UNIT}` }] : []),
  ];
}

function isLoaded({ files }: Scene, rules: string): boolean {
  const nftables = files.read('/etc/nftables.conf') ?? '';
  const includes = /^\s*include\s+"\/etc\/nftables\.d\/(?:\*\.nft|\*|pullwarden\.nft)"/m.test(nftables);
  if (rules === NFTABLES_RULES && includes) return true;
  return new RegExp(`^Exec.*${rules.replaceAll('.', '\\.')}`, 'm').test(files.read(EGRESS_UNIT) ?? '');
}

function examineIptables({ files, lock }: Scene): readonly Hole[] {
  const text = files.read(IPTABLES_RULES);
  if (text === undefined) return [];
  return lock.blocked.names
    .filter((name) => !findRule(text, name))
    .map((name) => ({
      file: IPTABLES_RULES,
      line: lineOf(text, name),
      client: CLIENT,
      open: `no rule rejects ${name}`,
      write: `-A PULLWARDEN ${matchPorts(lock.blocked.ports)} -m string --string "${name}" --algo bm -j REJECT --reject-with tcp-reset`,
    }));
}

function findRule(text: string, name: string): boolean {
  return text
    .split('\n')
    .some(
      (line) => /^-A PULLWARDEN .*-j (?:REJECT|DROP)\b/.test(line) && line.includes(`--string "${name}"`),
    );
}

function examineNftables({ files }: Scene): readonly Hole[] {
  const text = files.read(NFTABLES_RULES);
  if (text === undefined || /^\s*meta skuid 0 tcp dport [^#\n]*\b(?:reject|drop)\b/m.test(text)) return [];
  const open = 'no rule rejects the traffic of root to registries';
  const write = 'write meta skuid 0 tcp dport { 80, 443 } reject with tcp reset';
  return [{ file: NFTABLES_RULES, line: lineOf(text, 'skuid'), client: CLIENT, open, write }];
}
