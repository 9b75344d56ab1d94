/** Other spellings of the same signed content: the canonical form, and with it the signature, stays the same. */
import type { Corruption } from './types.ts';

const DEEP = `${'['.repeat(100)}${']'.repeat(100)}`;

export const otherSpelling: readonly Corruption[] = [
  { name: 'version twice', alters: 'itself', spelling: version((digits) => `1,"version":${digits}`) },
  { name: 'version as 1.0', alters: 'itself', spelling: version((digits) => `${digits}.0`) },
  { name: 'version as 1e0', alters: 'itself', spelling: version((digits) => `${digits}e0`) },
  { name: 'version as 1e400', alters: 'itself', spelling: version(() => '1e400') },
  { name: 'version 2^53', alters: 'itself', spelling: version(() => '9007199254740992') },
  { name: 'version with a leading zero', alters: 'itself', spelling: version((digits) => `0${digits}`) },
  { name: 'nested 100 levels deep', alters: 'itself', spelling: inserted(`"x":${DEEP}`) },
  { name: 'a fraction in an unknown member', alters: 'itself', spelling: inserted('"x":1.5') },
  { name: 'a number of 65 bits', alters: 'itself', spelling: inserted('"x":36893488147419103232') },
  {
    name: 'a letter as an escape',
    alters: 'itself',
    spelling: (text) => text.replace('"_type"', '"\\u005ftype"'),
  },
  {
    name: 'a name twice through an escape',
    alters: 'itself',
    spelling: inserted('"\\u0065xpires":"2099-01-01T00:00:00Z"'),
  },
];

/** `version` stands last in every file and nowhere else before it. */
function version(respell: (digits: string) => string): (text: string) => string {
  return (text) => text.replace(/"version":(\d+)/, (_, digits: string) => `"version":${respell(digits)}`);
}

function inserted(member: string): (text: string) => string {
  return (text) => `{${member},${text.slice(1)}`;
}
