/** Which certificate the pull port shows for which name. */
import { createSecureContext, type TlsOptions as NodeTlsOptions, type SecureContext } from 'node:tls';

/** The oldest version spoken, on the pull port and inside a CONNECT. */
export const MIN_TLS = 'TLSv1.2';

/** PEM texts, and the names they are for. */
export type HostCertificate = {
  readonly hosts: readonly string[];
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
};

/** PEM texts. */
export type TlsOptions = {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Set: every client must show a certificate from it. */
  readonly clientCa?: string | Buffer;
  /** Shown instead of `cert` to clients that ask for one of their names. */
  readonly certificates?: readonly HostCertificate[];
};

export function toTlsSettings({ cert, key, clientCa, certificates = [] }: TlsOptions): NodeTlsOptions {
  // Each context verifies clients by its own authorities: without this one, any public authority would do.
  const ca = clientCa === undefined ? {} : { ca: clientCa };
  const mutual = clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  const contexts = new Map<string, SecureContext>(
    certificates.flatMap((own) => {
      const context = createSecureContext({ cert: own.cert, key: own.key, ...ca, minVersion: MIN_TLS });
      // A handshake carries a name without a port.
      return own.hosts.map((host) => [host.toLowerCase().replace(/:[0-9]+$/, ''), context] as const);
    }),
  );
  return {
    cert,
    key,
    ...ca,
    ...mutual,
    minVersion: MIN_TLS,
    // No context: the one made of `cert` and `key`.
    SNICallback: (name, done) => done(null, contexts.get(name.toLowerCase())),
  };
}
