/** The names of clients, one for each, on the command line of `clients` and `canary` and in all output. */

/** What people also write. */
const OTHER_SPELLINGS: ReadonlyMap<string, string> = new Map([['docker', 'dockerd']]);

/** The known name that a text stands for; undefined when it is none. */
export function findClient<T extends string>(text: string, known: readonly T[]): T | undefined {
  const name = OTHER_SPELLINGS.get(text) ?? text;
  return known.find((client) => client === name);
}
