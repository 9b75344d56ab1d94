/** Mutations that keep the grammar of a metadata file: members and values are replaced, moved, repeated and renamed. */
import type { Random } from './random.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const NAMES = [
  '_type',
  'version',
  'expires',
  'keys',
  'roles',
  'meta',
  'targets',
  'delegations',
  'hashes',
  'length',
  'sha256',
  'sha512',
  'keyids',
  'threshold',
  'name',
  'paths',
  'custom',
  'keytype',
  'keyval',
  'public',
  'private',
  'root',
  'snapshot',
  'timestamp',
  'targets/releases',
  'targets/releases/x',
  'targets/qa',
  'Version',
  'KEYS',
  '__proto__',
  'constructor',
  '',
  'ſigned',
  '😀',
];

const VALUES: readonly (() => Json)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1,
  () => 2,
  () => 2147483647,
  () => Number.MAX_SAFE_INTEGER,
  () => 1.5,
  () => '',
  () => '1',
  () => 'Root',
  () => 'Targets',
  () => 'Timestamp',
  () => 'ecdsa',
  () => 'rsa-x509',
  () => 'ed25519',
  () => 'eddsa',
  () => 'rsapss',
  () => 'AAAA',
  () => `${'A'.repeat(43)}=`,
  () => '2099-01-01T00:00:00Z',
  () => '0001-01-01T00:00:00Z',
  () => 'targets/releases',
  () => 'targets/a/b/c',
  () => '\ud800',
  () => '\u2028<&>"\\',
  () => 'x'.repeat(70_000),
  () => [],
  () => ({}),
  () => Array.from({ length: 300 }, (_, index) => `k${index}`),
];

type Place = { readonly holder: Json[] | { [name: string]: Json }; readonly name: string };

/** Every place inside a value that holds another. */
function placesIn(value: Json, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const [name, item] of Object.entries(value)) {
    found.push({ holder: value, name });
    placesIn(item, found);
  }
  return found;
}

function read({ holder, name }: Place): Json {
  return (holder as { [name: string]: Json })[name] ?? null;
}

function write({ holder }: Place, name: string, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

type Mutation = (place: Place, random: Random, places: readonly Place[]) => void;

const replaceValue: Mutation = (place, random) => write(place, place.name, random.pick(VALUES)());

const removeMember: Mutation = ({ holder, name }) => {
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else delete holder[name];
};

const addMember: Mutation = (place, random) => {
  if (!Array.isArray(place.holder)) write(place, random.pick(NAMES), random.pick(VALUES)());
};

const renameMember: Mutation = (place, random) => {
  if (Array.isArray(place.holder)) return;
  const value = read(place);
  delete place.holder[place.name];
  write(place, random.pick(NAMES), value);
};

const copyFrom: Mutation = (place, random, places) => {
  write(place, place.name, structuredClone(read(random.pick(places))));
};

const repeatItem: Mutation = ({ holder, name }, random) => {
  if (!Array.isArray(holder)) return;
  for (let left = random.once(4) ? 140 : 1; left > 0; left -= 1) holder.push(holder[Number(name)] ?? null);
};

/** Certificates and keys, taken apart to their bytes: what OpenSSL is shown must not bring anything down. */
const changeBase64: Mutation = (place, random) => {
  const value = read(place);
  if (typeof value !== 'string' || value.length < 40) return;
  const bytes = Buffer.from(value, 'base64');
  const text = bytes.toString('latin1');
  const pem = /-----BEGIN CERTIFICATE-----\n([^-]*)-----END/.exec(text)?.[1];
  const inner = pem === undefined ? bytes : Buffer.from(pem, 'base64');
  for (let left = 1 + random.below(3); left > 0; left -= 1)
    inner[random.below(inner.length)] = random.below(256);
  const other =
    pem === undefined ? inner : Buffer.from(text.replace(pem, `${inner.toString('base64')}\n`), 'latin1');
  write(place, place.name, other.toString('base64'));
};

const MUTATIONS = [
  replaceValue,
  replaceValue,
  removeMember,
  addMember,
  renameMember,
  copyFrom,
  repeatItem,
  changeBase64,
  changeBase64,
];

/** One to four mutations of a copy. */
export function mutateJson(seed: Json, random: Random): Json {
  const copy = structuredClone(seed);
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const places = placesIn(copy);
    if (places.length === 0) return copy;
    random.pick(MUTATIONS)(random.pick(places), random, places);
  }
  return copy;
}
