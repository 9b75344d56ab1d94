/**
 * The proxy as HTTPS_PROXY of a node (registry-clients.md §1.5 B): CONNECT on the pull port.
 *
 * For a configured registry the tunnel ends here: TLS is answered with the operator's certificate for that name, and
 * what comes out of it goes back into the same server as one more connection, so it has the same limits and walks the
 * same pipeline. Every other host is refused, or tunnelled where the operator listed it.
 */

import type { IncomingMessage } from 'node:http';
import { type LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Server as TlsServer } from 'node:tls';
import type { Limits } from '../limits.ts';
import { toAuthority } from '../names/registry-table.ts';
import type { Refusal } from '../wire/types.ts';
import { FAULTS, SENTENCES } from '../words.ts';
import type { HostCertificate } from './certificates.ts';
import { createArriving, createGates, type GateDeps } from './gates.ts';
import { isInside, peerOf } from './peer.ts';
import { endWith } from './raw-answer.ts';
import {
  type Allowed,
  authorityOf,
  isStillTerminated,
  isStillTunnelled,
  judgeServerName,
  judgeTarget,
  parseTarget,
  type Target,
} from './targets.ts';
import { createTunnels, type Destination, type TunnelResult, type Tunnels } from './tunnel.ts';

export type ConnectResult = 'terminated' | 'tunnelled' | 'refused' | 'failed';

/** One CONNECT and what became of it. */
export type ConnectEvent = {
  readonly requestId: string;
  readonly target: string;
  readonly client: string;
  readonly identity: string | undefined;
  readonly result: ConnectResult;
  /** Why, where it was refused or failed. */
  readonly message: string | undefined;
};

export type ConnectOptions = Pick<Allowed, 'tunnel' | 'registryAt'> & {
  readonly certificates: readonly HostCertificate[];
  readonly observe?: (event: ConnectEvent) => void;
  /** How names of tunnels are looked up; the system's way when absent. */
  readonly lookup?: LookupFunction;
};

type Permitted = Pick<ConnectOptions, 'certificates' | 'tunnel'> & Partial<ConnectOptions>;

/** How many connections a reload has ended. */
export type Withdrawn = { readonly tunnels: number; readonly terminated: number };

export type Connect = {
  /** Listener of the server's `connect` event. */
  handle(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  readonly tunnels: () => number;
  /**
   * @returns what puts these in force: a CONNECT from then on is answered with them, and what is open and not permitted
   *   any more ends at once. What is left out stays as it is.
   * @throws what node:tls says of PEM it cannot use; then nothing has changed.
   */
  renew(options: Permitted): () => Withdrawn;
  /** Ends what has not become a request yet, and tunnels once they are silent. */
  drain(): void;
  destroy(): void;
};

type ConnectDeps = GateDeps & {
  readonly limits: Limits;
  readonly newRequestId: () => string;
};

/** A CONNECT that has to be answered. `target` is for people: as it was sent, and not too long. */
type Asked = { readonly target: string; readonly socket: Socket; readonly requestId: string };

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

export function createConnect(options: ConnectOptions, deps: ConnectDeps): Connect {
  return new ConnectHandler(options, deps);
}

type InForce = ConnectOptions & {
  /** By authority. */
  readonly certified: ReadonlyMap<string, TlsServer>;
};

class ConnectHandler implements Connect {
  readonly #options: ConnectOptions;
  readonly #deps: ConnectDeps;
  readonly #arriving = createArriving();
  readonly #terminated = createTerminated();
  readonly #tunnels: Tunnels;
  #inForce: InForce;

  constructor(options: ConnectOptions, deps: ConnectDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#inForce = this.#toForce(options);
    this.#tunnels = createTunnels(deps.limits, options.lookup);
  }

  handle(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // From here on nobody else listens for its errors.
    socket.on('error', () => socket.destroy());
    if (!(socket instanceof Socket)) return void socket.destroy();
    const asked: Asked = {
      target: (req.url ?? '').slice(0, 300),
      socket,
      requestId: this.#deps.newRequestId(),
    };
    const target = parseTarget(req.url ?? '');
    const fault = target === undefined ? FAULTS.connectTarget : faultOf(req, socket, head, target);
    if (target === undefined || fault !== undefined)
      return void this.#refuse(asked, { reason: 'bad_request', message: fault ?? FAULTS.connectTarget });
    const verdict = judgeTarget(target, this.#inForce);
    if (verdict.kind === 'terminate') return void this.#terminate(asked, verdict.authority);
    if (verdict.kind === 'tunnel') return void this.#tunnel(asked, verdict);
    this.#refuse(asked, { reason: 'namespace_unknown', message: verdict.message });
  }

  tunnels(): number {
    return this.#tunnels.size();
  }

  renew(next: Permitted): () => Withdrawn {
    const renewed = this.#toForce({ ...this.#options, ...next });
    return () => {
      this.#inForce = renewed;
      return {
        tunnels: this.#tunnels.keep((to) => isStillTunnelled(to, renewed)),
        terminated: this.#terminated.keep((authority) => isStillTerminated(authority, renewed)),
      };
    };
  }

  drain(): void {
    this.#arriving.destroy();
    this.#tunnels.drain();
  }

  destroy(): void {
    this.#arriving.destroy();
    this.#tunnels.destroy();
  }

  #toForce(next: ConnectOptions): InForce {
    return { ...next, certified: createGates(next.certificates, this.#arriving, this.#deps) };
  }

  #refuse(asked: Asked, refusal: Refusal): void {
    const result = refusal.reason === 'registry_unreachable' ? 'failed' : 'refused';
    this.#tell(asked, result, refusal.message);
    endWith(asked.socket, refusal, asked.requestId);
  }

  #terminate(asked: Asked, authority: string): void {
    this.#tell(asked, 'terminated');
    this.#terminated.add(asked.socket, authority);
    this.#arriving.add(asked.socket);
    // Otherwise a client that leaves in the middle of its handshake is not noticed before the time for it is over.
    asked.socket.allowHalfOpen = false;
    asked.socket.write(ESTABLISHED);
    this.#inForce.certified.get(authority)?.emit('connection', asked.socket);
  }

  async #tunnel(asked: Asked, to: Destination): Promise<void> {
    const result = await this.#tunnels.open(asked.socket, to, {
      judge: (name) => judgeServerName(name, to.target, this.#inForce.registryAt),
      onFault: (fault) => this.#tell(asked, 'refused', fault),
    });
    if (result === 'open') this.#tell(asked, 'tunnelled');
    else if (typeof result === 'object') this.#tell(asked, 'refused', result.closed);
    else this.#refuse(asked, toTunnelRefusal(result, asked.target));
  }

  #tell({ target, socket, requestId }: Asked, result: ConnectResult, message?: string): void {
    const { identity } = peerOf(socket);
    const client = socket.remoteAddress ?? '';
    this.#inForce.observe?.({ requestId, target, client, identity, result, message });
  }
}

/** What makes a CONNECT ambiguous or early, if anything. */
function faultOf(req: IncomingMessage, socket: Socket, head: Buffer, target: Target): string | undefined {
  if (isInside(socket)) return FAULTS.connectInside;
  const hosts = req.headersDistinct['host'] ?? [];
  const isSame = hosts.every((host) => toAuthority(host) === authorityOf(target));
  if (hosts.length > 1 || !isSame) return FAULTS.connectHost;
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
  // What comes before the answer could be meant for us or for the target (registry-clients.md §6.2).
  if (head.length > 0 || length !== undefined || coding !== undefined) return FAULTS.connectEarly;
  return undefined;
}

function toTunnelRefusal(result: Exclude<TunnelResult, 'open'>, target: string): Refusal {
  switch (result) {
    case 'early':
      return { reason: 'bad_request', message: FAULTS.connectEarly };
    case 'full':
      return { reason: 'registry_unreachable', message: SENTENCES.noRoomForTunnel(target) };
    case 'unreachable':
      return { reason: 'registry_unreachable', message: SENTENCES.targetUnreachable(target) };
  }
}

/** Connections whose TLS ends here, from their 200 on, with the authority they were opened for. */
function createTerminated() {
  const sockets = new Map<Socket, string>();
  return {
    add(socket: Socket, authority: string): void {
      sockets.set(socket, authority);
      socket.once('close', () => sockets.delete(socket));
    },
    /** Ends at once what is not allowed any more, the connection inside with it. @returns how many. */
    keep(isAllowed: (authority: string) => boolean): number {
      const cut = [...sockets].filter(([, authority]) => !isAllowed(authority));
      for (const [socket] of cut) socket.destroy();
      return cut.length;
    },
  };
}
