/** What the file that declares a role's keys says wrongly of them. */
import type { Plain } from '../../../proxy/demo/notary/metadata-writer.ts';
import type { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import {
  createKeyPair,
  createNotaryCertificate,
  createSigningKey,
  type KeyKind,
  keyId,
  type SigningKey,
} from '../../../proxy/demo/notary/signing-key.ts';
import type { CorruptibleRole, Corruption } from './types.ts';

export const aboutKeys: readonly Corruption[] = [
  redeclared('threshold 0', (keys) => ({ keys, threshold: 0 })),
  redeclared('threshold -1', (keys) => ({ keys, threshold: -1 })),
  redeclared('threshold above the number of keys', (keys) => ({ keys, threshold: keys.length + 1 })),
  redeclared('a key under an ID that is not its own', (keys) => ({
    keys: keys.map((key) => ({ ...key, id: '0'.repeat(64) })),
  })),
  redeclared('a key named __proto__', (keys) => ({ keys: keys.map((key) => ({ ...key, id: '__proto__' })) })),
  redeclared('a key of unknown type', (keys) => ({ keys: keys.map((key) => retyped(key, 'dilithium')) })),
  redeclared('an ecdsa key declared as rsa', (keys) => ({
    keys: keys.map((key) => retyped(key, key.kind.replace('ecdsa', 'rsa'))),
  })),
  redeclared('an ecdsa key declared as ed25519', (keys) => ({
    keys: keys.map((key) => retyped(key, 'ed25519')),
  })),
  redeclared('two certificates on one key, threshold 2', (_, repository) => ({
    keys: twoCertificates(repository),
    threshold: 2,
  })),
];

type Declared = { readonly keys: readonly SigningKey[]; readonly threshold?: number };

/** A key holder publishes it; the others can only take over the content, without its signature. */
function redeclared(
  name: string,
  declare: (keys: readonly SigningKey[], repository: SimulatedRepository) => Declared,
): Corruption {
  const republish = (repository: SimulatedRepository, role: CorruptibleRole): void => {
    const { keys, threshold = 1 } = declare(repository.keys(role), repository);
    repository.setThreshold(role, threshold, keys);
    repository.publish();
  };
  return {
    name,
    alters: 'declaration',
    republish,
    content: (signed, { role, file, create }) => {
      const twin = create();
      republish(twin, role);
      Object.assign(signed, twin.signed(file) as unknown as Record<string, Plain>);
    },
  };
}

/** The same bytes under another type; honestly named by the ID that gives them. */
function retyped(key: SigningKey, keytype: string): SigningKey {
  return { ...key, kind: keytype as KeyKind, id: keyId(keytype as KeyKind, key.publicBytes) };
}

function twoCertificates(repository: SimulatedRepository): readonly SigningKey[] {
  const pair = createKeyPair();
  const now = repository.clock();
  return [1, 2].map(() =>
    createSigningKey('ecdsa-x509', { pair, pem: createNotaryCertificate(repository.gun, pair, { now }) }),
  );
}
