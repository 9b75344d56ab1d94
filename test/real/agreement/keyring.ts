/** Keys and certificates that the compared repositories share: making new ones for each would take most of the time. */
import { createPublicKey } from 'node:crypto';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Algorithm, createSelfSigned, encryptTraditional } from '../certificates.ts';
import { NotaryClient, PASSPHRASE } from '../notary.ts';
import type { NotaryServer } from '../notary-server.ts';
import { makeTempDir, runOk } from '../process.ts';
import { programOf } from '../programs.ts';
import { digestOf } from './changelist.ts';
import type { Holder } from './plan.ts';

export interface RootKey {
  /** What `notary init --rootkey` takes. */
  readonly encryptedFile: string;
  readonly canonicalId: string;
  /** Makes a certificate around the key; each one is different. */
  certify(commonName: string): Promise<string>;
}

export interface Keyring {
  readonly roots: Readonly<Record<Algorithm, RootKey>>;
  /** An RSA key to rotate a root to. */
  readonly nextRsaRoot: string;
  readonly certificates: Readonly<Record<Holder, string>>;
  /** The keys' canonical IDs, by which `notary delegation remove` knows them. */
  readonly holderIds: Readonly<Record<Holder, string>>;
  /** A new trust folder in which all holders' keys are. */
  createTrustDir(): Promise<string>;
}

export async function createKeyring(server: NotaryServer): Promise<Keyring> {
  const folder = await makeTempDir('keyring');
  const client = await NotaryClient.create(server);
  const pairs = {
    ana: await client.createSigner('ana', 'ecdsa'),
    bob: await client.createSigner('bob', 'rsa'),
    cora: await client.createSigner('cora', 'ecdsa'),
  };
  const anaAgain = await certify(folder, pairs.ana.keyFile, 'ana-again');
  const ids = {
    ana: await canonicalIdOf(pairs.ana.certFile),
    bob: await canonicalIdOf(pairs.bob.certFile),
    cora: await canonicalIdOf(pairs.cora.certFile),
  };
  return {
    roots: { ecdsa: await createRoot(folder, 'ecdsa'), rsa: await createRoot(folder, 'rsa') },
    nextRsaRoot: await client.createRsaKey(),
    certificates: {
      ana: pairs.ana.certFile,
      anaAgain,
      bob: pairs.bob.certFile,
      cora: pairs.cora.certFile,
    },
    holderIds: { ...ids, anaAgain: ids.ana },
    createTrustDir: async () => {
      const trustDir = await makeTempDir('publisher');
      await cp(join(client.trustDir, 'private'), join(trustDir, 'private'), { recursive: true });
      return trustDir;
    },
  };
}

async function createRoot(folder: string, algorithm: Algorithm): Promise<RootKey> {
  const pair = await createSelfSigned(folder, `root-${algorithm}`, algorithm);
  return {
    encryptedFile: await encryptTraditional(pair.keyFile, algorithm, PASSPHRASE),
    canonicalId: await canonicalIdOf(pair.certFile),
    certify: (commonName) => certify(folder, pair.keyFile, commonName),
  };
}

let certificatesMade = 0;

async function certify(folder: string, keyFile: string, commonName: string): Promise<string> {
  certificatesMade += 1;
  const file = join(folder, `certificate-${certificatesMade}.crt`);
  await runOk(programOf('openssl'), [
    ...['req', '-x509', '-key', keyFile, '-sha256', '-days', '3650', '-out', file],
    ...['-subj', `/CN=${commonName.replaceAll('/', '\\/')}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=codeSigning'],
  ]);
  return file;
}

/** The ID of the bare key (notary-semantics.md §4.2), worked out here so that it does not come from what is tested. */
async function canonicalIdOf(certFile: string): Promise<string> {
  const key = createPublicKey(await readFile(certFile));
  const keytype = key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa';
  const bytes = key.export({ format: 'der', type: 'spki' }).toString('base64');
  const text = `{"keytype":"${keytype}","keyval":{"private":null,"public":"${bytes}"}}`;
  return digestOf(text).toString('hex');
}
