/**
 * What is planned and this version does not know yet. Each is refused by name: a setting that were silently left out
 * would be a protection somebody believes in.
 */
import { type Finding, formatPath, type Path } from './errors.ts';

const STATE = 'write kind: file, and give each proxy a folder of its own';

/** Path without list positions, with `=value` where only that value is unknown → the next step. */
const LATER: ReadonlyMap<string, string> = new Map([
  ['trust.state.kind=redis', STATE],
  ['trust.state.url', STATE],
  ['policy.rules.digests=signed', 'write digests: pass, or mode: deny to refuse digests as well'],
  [
    'policy.rules.onTrustOutage',
    'remove it: in an outage what is verified and unexpired is served and nothing else',
  ],
  ['policy.exemptions', 'remove it, and give such a repository a rule of its own with mode: audit'],
]);

/** @returns a finding when the key, or this value of it, belongs to a later version. */
export function laterFinding(path: Path, value: unknown): Finding | undefined {
  const key = formatPath(path.filter((step) => typeof step === 'string'));
  const ofValue = typeof value === 'string' ? LATER.get(`${key}=${value}`) : undefined;
  if (ofValue !== undefined)
    return { path, what: `this version does not know "${value}" yet`, next: ofValue };
  const ofKey = LATER.get(key);
  return ofKey === undefined
    ? undefined
    : { path, what: 'this version does not know this key yet', next: ofKey };
}
