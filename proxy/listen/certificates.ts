/** Which certificate the pull port shows for which name. */
import {
  createSecureContext,
  type TlsOptions as NodeTlsOptions,
  type SecureContext,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';
import { createVerifiedClients } from './verified-clients.ts';

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
  /** Before any other listener of its connections. */
  watch(server: TlsServer): void;
  /**
   * @returns what answers handshakes from then on with these, ends connections of clients that these would not let in, and
   *   says how many. @throws what node:tls says of PEM it cannot use.
   */
  renew(server: TlsServer, tls: TlsOptions): () => number;
};

export function createCertificates(tls: TlsOptions, handshakeTimeout: number): Certificates {
  let contexts = toContexts(tls);
  // Whether clients are asked is settled at the start; whom they are verified by is not.
  let { clientCa } = tls;
  const mutual = clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  const clients = clientCa === undefined ? undefined : createVerifiedClients(clientCa, { handshakeTimeout });
  return {
    settings: {
      ...toDefault(tls),
      ...mutual,
      // No context: the one made of `cert` and `key`.
      SNICallback: (name, done) => done(null, contexts.get(name.toLowerCase())),
    },
    watch(server) {
      if (clients !== undefined) server.prependListener('secureConnection', clients.arrive);
    },
    renew(server, { clientCa: nextCa = clientCa, ...rest }) {
      const next = { ...rest, ...(nextCa === undefined ? {} : { clientCa: nextCa }) };
      const renewed = toContexts(next);
      createSecureContext(toDefault(next));
      const verify = nextCa === undefined ? undefined : clients?.renew(nextCa);
      return () => {
        clientCa = nextCa;
        server.setSecureContext(toDefault(next));
        contexts = renewed;
        return verify?.() ?? 0;
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
