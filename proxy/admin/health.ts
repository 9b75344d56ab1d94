/** Readiness as a list of conditions that a person can act on. */
import type { ReadyCheck } from './types.ts';

export type Readiness = { readonly ready: boolean; readonly checks: readonly ReadyCheck[] };

/** Without any check the proxy is not ready: nothing was shown to work. */
export function toReadiness(checks: readonly ReadyCheck[]): Readiness {
  const gating = checks.filter(({ advisory }) => advisory !== true);
  return { ready: gating.length > 0 && gating.every(({ ok }) => ok), checks };
}

/** Runs the checks; one that throws means not ready. */
export async function askReadiness(
  ask: () => Promise<readonly ReadyCheck[]> | readonly ReadyCheck[],
): Promise<Readiness> {
  try {
    return toReadiness(await ask());
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { ready: false, checks: [{ name: 'readiness', ok: false, detail }] };
  }
}

/** One line a check, `[+]` passed, `[-]` failed, `[!]` failed but advisory; then the verdict. */
export function toReadinessText({ ready, checks }: Readiness): string {
  const lines = checks.map(({ name, ok, detail, advisory }) => {
    const mark = ok ? '+' : advisory === true ? '!' : '-';
    return `[${mark}] ${name}${detail === undefined ? '' : `: ${detail}`}`;
  });
  return `${[...lines, ready ? 'ready' : 'not ready'].join('\n')}\n`;
}
