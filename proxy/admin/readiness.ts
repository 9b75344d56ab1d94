/** The conditions of readiness, each checked on request. */
import type { ReadyCheck } from './types.ts';

/** False while the proxy drains its last requests. */
export function checkAccepting({ isClosing }: { readonly isClosing: boolean }): ReadyCheck {
  return { name: 'accepting pulls', ok: !isClosing, ...(isClosing ? { detail: 'shutting down' } : {}) };
}

export async function checkState(state: { probe(): Promise<void> }): Promise<ReadyCheck> {
  try {
    await state.probe();
    return { name: 'trust state can be written', ok: true };
  } catch (error) {
    return { name: 'trust state can be written', ok: false, detail: String(error) };
  }
}

/** The last good configuration goes on serving, so this is for people to see, not a reason to take no pulls. */
export function checkReload(reloadError: string | undefined): ReadyCheck {
  const name = 'last configuration is in force';
  return reloadError === undefined
    ? { name, ok: true }
    : { name, ok: false, detail: reloadError, advisory: true };
}
