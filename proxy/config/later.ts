/**
 * Keys and values that are planned and not supported yet. Each is refused by name: silently ignoring one would leave a
 * protection that the operator believes is on.
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
    'remove it: in an outage only what is verified and has not expired is served',
  ],
  ['policy.exemptions', 'remove it, and write a rule with mode: audit for such a repository'],
]);

/** @returns a finding when the key, or this value of it, belongs to a later version. */
export function laterFinding(path: Path, value: unknown): Finding | undefined {
  const key = formatPath(path.filter((step) => typeof step === 'string'));
  const ofValue = typeof value === 'string' ? LATER.get(`${key}=${value}`) : undefined;
  if (ofValue !== undefined)
    return { path, what: `"${value}" is not supported in this version yet`, next: ofValue };
  const ofKey = LATER.get(key);
  return ofKey === undefined
    ? undefined
    : { path, what: 'this key is not supported in this version yet', next: ofKey };
}
