/** Which certificate the pull port shows for which name. */
import {
  createSecureContext,
  type TlsOptions as NodeTlsOptions,
  type SecureContext,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';

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

export type Certificates = {
  /** For a server of node:https. */
  readonly settings: NodeTlsOptions;
  /** @returns what answers handshakes from then on with these. @throws what node:tls says of PEM it cannot use. */
  renew(server: TlsServer, tls: TlsOptions): () => void;
};

export function createCertificates(tls: TlsOptions): Certificates {
  let contexts = toContexts(tls);
  const mutual = tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  return {
    settings: {
      ...toDefault(tls),
      ...mutual,
      // No context: the one made of `cert` and `key`.
      SNICallback: (name, done) => done(null, contexts.get(name.toLowerCase())),
    },
    renew(server, next) {
      const renewed = toContexts(next);
      createSecureContext(toDefault(next));
      return () => {
        server.setSecureContext(toDefault(next));
        contexts = renewed;
      };
    },
  };
}

function toDefault({ cert, key, clientCa }: TlsOptions): SecureContextOptions {
  return { cert, key, ...toCa(clientCa), minVersion: MIN_TLS };
}

function toContexts({ certificates = [], clientCa }: TlsOptions): ReadonlyMap<string, SecureContext> {
  return new Map(
    certificates.flatMap(({ hosts, cert, key }) => {
      const context = createSecureContext(toDefault({ cert, key, ...(clientCa && { clientCa }) }));
      // A handshake carries a name without a port.
      return hosts.map((host) => [host.toLowerCase().replace(/:[0-9]+$/, ''), context] as const);
    }),
  );
}

/** Each context verifies clients by its own authorities: without this one, any public authority would do. */
function toCa(clientCa: TlsOptions['clientCa']): SecureContextOptions {
  return clientCa === undefined ? {} : { ca: clientCa };
}
