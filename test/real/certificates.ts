import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from './process.ts';
import { programOf } from './programs.ts';

export type Algorithm = 'ecdsa' | 'rsa';

export interface KeyPair {
  readonly keyFile: string;
  readonly certFile: string;
}

export interface Authority {
  readonly caFile: string;
  /** A certificate for a TLS server, by default on `localhost` and 127.0.0.1, or for a TLS client. */
  issue(name: string, usage: 'serverAuth' | 'clientAuth', hosts?: readonly string[]): Promise<KeyPair>;
}

const DAYS = '3650';
const NEW_KEY: Record<Algorithm, readonly string[]> = {
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  rsa: ['-newkey', 'rsa:2048'],
};

/** Makes a certificate authority with openssl; its files go to `folder`. */
export async function createAuthority(folder: string): Promise<Authority> {
  const caFile = join(folder, 'ca.crt');
  const caKey = join(folder, 'ca.key');
  await openssl([
    ...['req', '-x509', ...NEW_KEY.ecdsa, '-nodes', '-days', DAYS, '-subj', '/CN=Pullwarden test authority'],
    ...['-keyout', caKey, '-out', caFile],
  ]);
  return {
    caFile,
    issue: async (name, usage, hosts) => {
      const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
      const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)];
      const names = hosts?.map((host) => `DNS:${host}`).join(',') ?? 'DNS:localhost,IP:127.0.0.1';
      await writeFile(extensions, `subjectAltName=${names}\nextendedKeyUsage=${usage}\n`);
      const subject = ['-subj', `/CN=${name}`];
      await openssl(['req', ...NEW_KEY.ecdsa, '-nodes', ...subject, '-keyout', keyFile, '-out', request]);
      await openssl([
        ...['x509', '-req', '-in', request, '-CA', caFile, '-CAkey', caKey, '-CAcreateserial'],
        ...['-days', DAYS, '-extfile', extensions, '-out', certFile],
      ]);
      return { keyFile, certFile };
    },
  };
}

/**
 * Makes a key and a self-signed leaf certificate for a delegation or a root. `CA:FALSE` is needed for a root:
 * Notary looks for leaves, and openssl would mark a self-signed certificate as an authority.
 */
export async function createSelfSigned(
  folder: string,
  commonName: string,
  algorithm: Algorithm,
): Promise<KeyPair> {
  const file = commonName.replaceAll(/[^\w.-]/g, '_');
  const pair = { keyFile: join(folder, `${file}.key`), certFile: join(folder, `${file}.crt`) };
  await openssl([
    ...['req', '-x509', ...NEW_KEY[algorithm], '-nodes', '-sha256', '-days', DAYS],
    ...['-subj', `/CN=${commonName.replaceAll('/', '\\/')}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=codeSigning'],
    ...['-keyout', pair.keyFile, '-out', pair.certFile],
  ]);
  return pair;
}

/**
 * Writes a private key in the only form `notary` takes as a root key: the traditional PEM of the algorithm,
 * encrypted by PEM headers (`Proc-Type`), not PKCS#8.
 */
export async function encryptTraditional(
  keyFile: string,
  algorithm: Algorithm,
  passphrase: string,
): Promise<string> {
  const encrypted = `${keyFile}.encrypted`;
  const convert = algorithm === 'rsa' ? ['rsa', '-traditional'] : ['ec'];
  await openssl([...convert, '-aes256', '-passout', `pass:${passphrase}`, '-in', keyFile, '-out', encrypted]);
  const text = await readFile(encrypted, 'utf8');
  if (!text.includes('Proc-Type: 4,ENCRYPTED')) throw new Error(`openssl wrote no traditional PEM:\n${text}`);
  return encrypted;
}

async function openssl(args: readonly string[]): Promise<void> {
  await runOk(programOf('openssl'), args);
}
