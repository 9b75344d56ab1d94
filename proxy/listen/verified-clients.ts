/** Clients that their certificate let in, so that a reload ends those that it would not let in any more. */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

export type VerifiedClients = {
  /** A handshake is over. */
  arrive(socket: TLSSocket): void;
  /** @returns what puts this authority in force, and says how many connections it has ended. @throws for what is not PEM. */
  renew(clientCa: string | Buffer): () => number;
};

type Options = {
  /** The longest a handshake takes, in milliseconds. */
  readonly handshakeTimeout: number;
  readonly now?: () => number;
};

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** Certificates of a chain that are kept; OpenSSL follows no longer one by far. */
const MAX_CHAIN = 16;

export function createVerifiedClients(
  clientCa: string | Buffer,
  { handshakeTimeout, now = () => performance.now() }: Options,
): VerifiedClients {
  const chains = new Map<TLSSocket, readonly X509Certificate[]>();
  let inForce = toCertificates(clientCa);
  let renewedAt = Number.NEGATIVE_INFINITY;
  return {
    arrive(socket) {
      const chain = toChain(socket);
      // One that began before a reload was verified by the authority before. A resumed one has no more than its own certificate
      // to show, but what it resumes ends with the reload.
      if (now() - renewedAt <= handshakeTimeout && !isLetIn(chain, inForce)) return void socket.destroy();
      chains.set(socket, chain);
      socket.once('close', () => chains.delete(socket));
    },
    renew(next) {
      const renewed = toCertificates(next);
      return () => {
        const before = inForce;
        inForce = renewed;
        if (includesAll(renewed, before)) return 0;
        renewedAt = now();
        const cut = [...chains].filter(([, chain]) => !isLetIn(chain, renewed));
        for (const [socket] of cut) socket.destroy();
        return cut.length;
      };
    },
  };
}

function toCertificates(pem: string | Buffer): readonly X509Certificate[] {
  return (pem.toString().match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
}

function includesAll(those: readonly X509Certificate[], these: readonly X509Certificate[]): boolean {
  const known = new Set(those.map(String));
  return these.every((certificate) => known.has(String(certificate)));
}

/**
 * What the handshake has verified. Node gives the issuers away once, and Node 24 none of them: there a client below an
 * intermediate authority is cut at each change, as nobody can tell whether it would be let in again.
 */
function toChain(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  for (; next !== undefined && chain.length < MAX_CHAIN; next = next.issuerCertificate) chain.push(next);
  return chain;
}

/** Whether one of these authorities issued a certificate of the chain. */
function isLetIn(chain: readonly X509Certificate[], authorities: readonly X509Certificate[]): boolean {
  return chain.some((shown) =>
    authorities.some((authority) => shown.checkIssued(authority) && shown.verify(authority.publicKey)),
  );
}
