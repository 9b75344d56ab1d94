/** The trust server as the proxy meets it: current, behind, absent, slow, or in an attacker's hands. */

import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { FetchLimits, MetadataFile, TrustSource } from '../../proxy/trust-client/types.ts';
import { wireName } from '../simulators/simulated-source.ts';
import type { Activity } from './activity.ts';
import type { Files, Owner } from './owner.ts';

export type FileKind = 'any' | 'root' | 'timestamp' | 'snapshot' | 'targets' | 'delegation';
export type FaultKind = 'refused' | 'late' | 'html 404';

type Lag = { readonly back: number; readonly how: 'all' | 'alternate' | FileKind; left: number };
type Fault = { readonly on: FileKind; readonly kind: FaultKind; skip: number; left: number };

/** One cache's line to the server, with what was said over it since the last pull began. */
export type Line = {
  readonly source: TrustSource;
  asked: number;
  /** Every answer was the newest there is. */
  current: boolean;
  readonly rootsShown: Set<number>;
  hold: { readonly on: FileKind; readonly until: Promise<void> } | undefined;
};

export class Server {
  fork: Files | undefined;
  /** An attacker has spoken: nothing is promised from then on but that nothing older is believed. */
  wasForged = false;
  /** Questions of which a request is held. */
  held = 0;
  readonly #owner: Owner;
  readonly #activity: Activity;
  #lag: Lag | undefined;
  #faults: Fault[] = [];
  #count = 0;

  constructor(owner: Owner, activity: Activity) {
    this.#owner = owner;
    this.#activity = activity;
  }

  lag(back: number, how: Lag['how'], requests: number): void {
    this.#lag = { back, how, left: requests };
    this.fork = undefined;
  }

  /** To the proxy the same as a replica that is behind for good. */
  rollBack(back: number): void {
    this.lag(back, 'all', Number.POSITIVE_INFINITY);
  }

  fault(on: FileKind, kind: FaultKind, skip: number, times: number): void {
    this.#faults.push({ on, kind, skip, left: times });
  }

  heal(): void {
    this.#faults = [];
    this.#lag = undefined;
    this.fork = undefined;
  }

  connect(): Line {
    const line: Line = {
      source: { fetch: (_gun, file, limits) => this.#answer(line, file, limits) },
      asked: 0,
      current: true,
      rootsShown: new Set(),
      hold: undefined,
    };
    return line;
  }

  async #answer(line: Line, file: MetadataFile, { signal }: FetchLimits): Promise<Uint8Array | undefined> {
    line.asked += 1;
    const bytes = this.#view(line, file).get(wireName(file));
    const fault = this.#faults.find((it) => it.left > 0 && isOf(file, it.on) && it.skip-- <= 0);
    if (fault !== undefined) fault.left -= 1;
    if (line.hold !== undefined && isOf(file, line.hold.on)) {
      const { until } = line.hold;
      line.hold = undefined;
      this.held += 1;
      await until;
      this.held -= 1;
    } else {
      await this.#activity.during(() => Promise.resolve());
    }
    if (signal.aborted) throw new TrustError('trust_unreachable', 'unreachable', 'given up');
    if (fault !== undefined) {
      line.current = false;
      throw new TrustError(
        'trust_unreachable',
        fault.kind === 'late' ? 'deadline' : 'unreachable',
        fault.kind,
      );
    }
    if (bytes !== undefined && file.role === 'root') line.rootsShown.add(file.version ?? versionIn(bytes));
    return bytes;
  }

  #view(line: Line, file: MetadataFile): Files {
    const { history } = this.#owner;
    const head = history.length - 1;
    this.#count += 1;
    if (this.fork !== undefined) {
      this.wasForged = true;
      return this.fork;
    }
    const lag = this.#lag;
    const lags =
      lag !== undefined &&
      lag.left > 0 &&
      (lag.how === 'all' || (lag.how === 'alternate' ? this.#count % 2 === 0 : isOf(file, lag.how)));
    if (lags) lag.left -= 1;
    const index = lags ? Math.max(0, head - lag.back) : head;
    if (index < head) line.current = false;
    return (history[index] as (typeof history)[number]).files;
  }
}

function versionIn(root: Uint8Array): number {
  const { signed }: { signed: { version: number } } = JSON.parse(Buffer.from(root).toString());
  return signed.version;
}

function isOf({ role }: MetadataFile, kind: FileKind): boolean {
  return kind === 'any' || role === kind || (kind === 'delegation' && role.includes('/'));
}
