/** Repositories that cost as much to verify as the limits allow, and one that a neighbour pulls from. */
import type { Plain } from '../../proxy/demo/notary/metadata-writer.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';

const DIGEST = `sha256:${'b'.repeat(64)}` as const;
const LARGE_BYTES = LIMITS.fileBytes - 1024 * 1024;
const CUSTOM_BYTES = 30 * 1024 * 1024;
const ROOT_BYTES = LIMITS.rootBytes - 16 * 1024;
const BOMB_VALUES = LIMITS.jsonValues - 10_000;

/** A delegation less than followed at most, each with as many signatures as are looked at; none of them verifies. */
export function createSignatureFlood(gun: Gun): SimulatedRepository {
  const key = createSigningKey('ed25519');
  const repository = createRepository(gun);
  const names = Array.from({ length: LIMITS.delegations - 1 }, (_, index) => `targets/d${index}`);
  for (const name of names) {
    repository.addDelegation(name, { keys: [key] });
    repository.signAs(name, '1', DIGEST, 7);
  }
  repository.publish();
  const sig = Buffer.alloc(64, 1).toString('base64');
  const bogus = JSON.stringify({ keyid: key.id, method: 'eddsa', sig });
  const all = Array.from({ length: LIMITS.signatures }, () => bogus).join(',');
  for (const name of names) {
    const text = Buffer.from(repository.files.get(name) ?? '').toString();
    const bytes = Buffer.from(text.replace(/"signatures":\[.*\]/, `"signatures":[${all}]`));
    repository.replaceFile(name, bytes, { propagate: name === names.at(-1) });
  }
  return repository;
}

/** As many tags as one file holds. */
export function createLargeFile(gun: Gun): SimulatedRepository {
  const repository = createRepository(gun);
  const hashes = { sha256: Buffer.alloc(32, 7).toString('base64') };
  const entry = { hashes, length: 1862 };
  const bytesOfOne = JSON.stringify(entry).length + '"v0000000":,'.length;
  repository.resign('targets', (signed) => {
    for (let tag = 0; tag * bytesOfOne < LARGE_BYTES; tag += 1)
      signed.targets[`v${String(tag).padStart(7, '0')}`] = entry;
  });
  return repository;
}

/** One tag, beside which as many JSON values stand as a file may hold. */
export function createJsonBomb(gun: Gun): SimulatedRepository {
  const repository = createRepository(gun);
  repository.resign('targets', (signed) => {
    const custom: Plain = Array.from({ length: BOMB_VALUES }, () => []);
    for (const target of Object.values(signed.targets)) Object.assign(target, { custom });
  });
  return repository;
}

/** One tag, beside which one text takes what is left of a file. */
export function createLargeCustom(gun: Gun): SimulatedRepository {
  const repository = createRepository(gun);
  const custom: Plain = { note: 'x'.repeat(CUSTOM_BYTES) };
  repository.resign('targets', (signed) => {
    for (const target of Object.values(signed.targets)) Object.assign(target, { custom });
  });
  return repository;
}

/** A root of nearly the size that is allowed, signed by one key that it lists under many names. */
export function createLargeRoot(gun: Gun): SimulatedRepository {
  const repository = createRepository(gun);
  repository.resign('root', (signed) => {
    const [id = ''] = signed.roles.root.keyids;
    const key = signed.keys[id];
    if (key === undefined) throw new Error('the root lists its key');
    const each = JSON.stringify(key).length + 2 * 64 + 20;
    for (let name = 0; name * each < ROOT_BYTES; name += 1) {
      const alias = name.toString(16).padStart(64, '0');
      signed.keys[alias] = key;
      signed.roles.root.keyids.push(alias);
    }
  });
  return repository;
}

function createRepository(gun: Gun): SimulatedRepository {
  const repository = new SimulatedRepository(gun);
  repository.addTag('1', DIGEST, 7);
  repository.publish();
  return repository;
}
