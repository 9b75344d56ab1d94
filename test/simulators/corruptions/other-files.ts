/** A good file in the wrong place: another role's, or another repository's. */
import { writeFile } from '../../../proxy/demo/notary/metadata-writer.ts';
import { createSigningKey, type SigningKey } from '../../../proxy/demo/notary/signing-key.ts';
import { CORRUPTIBLE_ROLES, type CorruptibleRole, type Corruption, readFile, type Scene } from './types.ts';

/** Nobody signs another role's file as his own, so a key holder does none of this. */
const WITHOUT_KEY = ['transit', 'server'] as const;

export const otherFiles: readonly Corruption[] = [
  ...CORRUPTIBLE_ROLES.map(
    (other): Corruption => ({
      name: `the file of ${other}`,
      alters: 'itself',
      roles: CORRUPTIBLE_ROLES.filter((role) => role !== other),
      attackers: WITHOUT_KEY,
      bytes: (_bytes, { repository }) => repository.files.get(other),
    }),
  ),
  {
    name: 'the file of another repository',
    alters: 'itself',
    attackers: WITHOUT_KEY,
    bytes: (_bytes, scene) => foreignFile(scene),
  },
];

let foreignKey: SigningKey | undefined;

/**
 * What another repository's own key signed under this role. Its root names its own certificate; the others have the
 * very content of ours, so that nothing but the signature tells them apart.
 */
function foreignFile({ repository, file }: Scene): Uint8Array {
  const now = repository.clock();
  foreignKey ??= createSigningKey('ecdsa-x509', { commonName: `${repository.gun}-mirror`, now });
  const key = foreignKey;
  if (file !== 'root') return writeFile(readFile(repository, file).signed, [key]);
  const role = { keyids: [key.id], threshold: 1 };
  const names: readonly CorruptibleRole[] = ['root', 'timestamp', 'snapshot', 'targets'];
  const content = {
    ...readFile(repository, 'root').signed,
    keys: {
      [key.id]: {
        keytype: key.kind,
        keyval: { private: null, public: Buffer.from(key.publicBytes).toString('base64') },
      },
    },
    roles: Object.fromEntries(names.map((name) => [name, role])),
  };
  return writeFile(content, [key]);
}
