/** A trust source without a network: simulated repositories served in-process, with faults on request. */

import type { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import { invalid, TrustError } from '../../proxy/trust-client/errors.ts';
import type { FetchLimits, MetadataFile, TrustSource } from '../../proxy/trust-client/types.ts';

/** Names a file as `SimulatedRepository.files` does: `root`, `3.root`, `snapshot.<hex>`. */
export function wireName(file: MetadataFile): string {
  if (file.version !== undefined) return `${file.version}.${file.role}`;
  return file.sha256 === undefined ? file.role : `${file.role}.${file.sha256}`;
}

export type SourceRequest = {
  readonly gun: Gun;
  readonly file: MetadataFile;
  /** The file's wire name. */
  readonly name: string;
  readonly revalidate: boolean;
};

export type SourceFault = {
  /** The answer waits until this settles, or until the caller gives up. */
  readonly delay?: Promise<unknown>;
  /** Thrown as it is. */
  readonly error?: Error;
  /** Served instead of the file; a function gets the file's own bytes. */
  readonly bytes?: Uint8Array | ((honest: Uint8Array | undefined) => Uint8Array | undefined);
  /** Answered as "no such file". */
  readonly missing?: true;
  /** How many requests it strikes; all of them when absent. */
  readonly times?: number;
};

/** A wire name (`3.root`), a role (each of its files), `*`, or a test of the request. */
export type SourceMatch = string | ((request: SourceRequest) => boolean);

type ArmedFault = { readonly match: SourceMatch; readonly fault: SourceFault; left: number };

export class SimulatedSource implements TrustSource {
  readonly repositories: Map<Gun, SimulatedRepository>;
  /** Every request, oldest first. */
  readonly requests: SourceRequest[] = [];
  readonly #faults: ArmedFault[] = [];

  constructor(...repositories: readonly SimulatedRepository[]) {
    this.repositories = new Map(repositories.map((repository) => [repository.gun, repository]));
  }

  /** Arms a fault; of several that match, the one armed last strikes. */
  fault(match: SourceMatch, fault: SourceFault): void {
    this.#faults.unshift({ match, fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clearFaults(): void {
    this.#faults.length = 0;
  }

  /** Wire names asked for since the last call, and forgets them. */
  takeRequests(): readonly string[] {
    return this.requests.splice(0).map(({ name }) => name);
  }

  async fetch(gun: Gun, file: MetadataFile, limits: FetchLimits): Promise<Uint8Array | undefined> {
    const request = { gun, file, name: wireName(file), revalidate: limits.revalidate ?? false };
    this.requests.push(request);
    await Promise.resolve();
    const fault = this.#strike(request);
    if (fault?.delay !== undefined) await Promise.race([fault.delay, whenAborted(limits.signal)]);
    refuseIfAborted(limits.signal, request);
    if (fault?.error !== undefined) throw fault.error;
    const bytes = answer(this.repositories.get(gun)?.files.get(request.name), fault);
    if (bytes !== undefined && bytes.length > limits.maxBytes) {
      throw invalid('size', file.role, `${request.name} is longer than ${limits.maxBytes} bytes`);
    }
    return bytes;
  }

  #strike(request: SourceRequest): SourceFault | undefined {
    const armed = this.#faults.find(({ match, left }) => left > 0 && matches(match, request));
    if (armed !== undefined) armed.left -= 1;
    return armed?.fault;
  }
}

/** The fault of a server that cannot be reached, to arm as `{ error: unreachable() }`. */
export function unreachable(message = 'connect ECONNREFUSED 127.0.0.1:4443'): TrustError {
  return new TrustError('trust_unreachable', 'unreachable', message);
}

function matches(match: SourceMatch, request: SourceRequest): boolean {
  if (typeof match === 'function') return match(request);
  return match === '*' || match === request.name || match === request.file.role;
}

function answer(honest: Uint8Array | undefined, fault: SourceFault | undefined): Uint8Array | undefined {
  if (fault?.missing === true) return undefined;
  if (typeof fault?.bytes === 'function') return fault.bytes(honest);
  return fault?.bytes ?? honest;
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The port's contract: an answer that did not come in time is a server that could not be reached. */
function refuseIfAborted(signal: AbortSignal, request: SourceRequest): void {
  if (!signal.aborted) return;
  const context = { role: request.file.role, cause: signal.reason };
  throw new TrustError('trust_unreachable', 'unreachable', `${request.name} did not arrive in time`, context);
}
