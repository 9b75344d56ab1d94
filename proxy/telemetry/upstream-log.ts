/** Logs once that an upstream fails and why, and once when it answers again, instead of at every request. */
import type { UpstreamKind, UpstreamObservation } from '../upstream/outcome.ts';
import type { Log } from './log.ts';

/** Minimum time between two lines about one upstream, in milliseconds: an upstream that flaps must not flood the log. */
const PAUSE_MS = 10_000;

const WORDS: Record<UpstreamKind, { readonly name: string; readonly until: string }> = {
  registry: { name: 'the registry', until: 'pulls that need it are refused until it answers' },
  notary: { name: 'the trust server', until: 'verified tags are served until they expire' },
  auth: { name: 'the token server', until: 'pulls that need its tokens fail until it answers' },
};

export type UpstreamLogOptions = {
  readonly log: Pick<Log, 'warn' | 'info'>;
  /** Where an upstream is, by its registry's name; undefined for a token server, which the upstream names. */
  readonly serverOf: (upstream: string, kind: UpstreamKind) => string | undefined;
  /** Milliseconds since some fixed moment. */
  readonly monotonic: () => number;
};

/** @returns a function to call with every answer and every failure. */
export function createUpstreamLog({ log, serverOf, monotonic }: UpstreamLogOptions) {
  const failing = new Map<
    string,
    { readonly since: number; readonly told: number; readonly detail: string }
  >();
  return ({ upstream, kind, outcome, detail }: Omit<UpstreamObservation, 'seconds'>): void => {
    const key = `${kind} ${upstream}`;
    const known = failing.get(key);
    const { name, until } = WORDS[kind];
    const about = { upstream, kind, server: serverOf(upstream, kind) };
    if (detail !== undefined) {
      const isNews = known?.detail !== detail && !(known && monotonic() - known.told < PAUSE_MS);
      if (!isNews) return;
      failing.set(key, { since: known?.since ?? monotonic(), told: monotonic(), detail });
      log.warn({ ...about, detail }, `${name} fails: ${until}`);
    } else if (known !== undefined && (outcome === 'ok' || outcome === 'not_found')) {
      failing.delete(key);
      log.info(
        { ...about, seconds: Math.round((monotonic() - known.since) / 1000) },
        `${name} answers again`,
      );
    }
  };
}
