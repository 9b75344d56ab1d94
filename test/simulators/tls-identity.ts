/** A certificate authority and a server certificate, made on the spot for the simulators' HTTPS. */
import { createKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { createCertificate } from '../../proxy/demo/notary/x509-writer.ts';

export type TlsIdentity = {
  /** The server's certificate, PEM. */
  readonly cert: string;
  /** Its private key, PEM. */
  readonly key: string;
  /** The authority that issued it, PEM: what a client must trust. */
  readonly ca: string;
};

const DAY_MS = 86_400_000;
const LIFETIME_DAYS = 365;
const AUTHORITY = 'Pullwarden demo CA';

export function createTlsIdentity(
  hosts: readonly string[] = ['localhost', '127.0.0.1'],
  now = new Date(),
): TlsIdentity {
  const authority = createKeyPair('p256');
  const server = createKeyPair('p256');
  const notBefore = new Date(now.getTime() - DAY_MS);
  const validity = {
    notBefore,
    notAfter: new Date(now.getTime() + LIFETIME_DAYS * DAY_MS),
    signer: authority.privateKey,
  };
  const ca = createCertificate({
    ...validity,
    commonName: AUTHORITY,
    publicKey: authority.publicKey,
    ca: true,
    keyUsage: ['keyCertSign', 'crlSign'],
  });
  const cert = createCertificate({
    ...validity,
    commonName: hosts[0] ?? 'localhost',
    issuer: AUTHORITY,
    publicKey: server.publicKey,
    ca: false,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['serverAuth'],
    hosts,
  });
  return { cert, key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), ca };
}
