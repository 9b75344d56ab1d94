/** The oldest Node this runs on, as `engines` in package.json says. */
const OLDEST = [20, 19] as const;

/**
 * Why this Node is too old; undefined when it is not. main.ts asks before it loads anything else, because a newer export
 * that is missing ends an older Node with a stack trace. So this file imports nothing and runs on Node 14 too.
 *
 * @param version as in `process.versions.node`.
 */
export function explainOldNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `needs Node ${OLDEST.join('.')} or later, this is Node ${version}`;
}
