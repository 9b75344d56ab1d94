/** From the configuration to the parts that establish trust: state, sources and pins. Used by every command. */
import { readFileSync } from 'node:fs';
import { createFileState, openFileState } from '../cache/state/file-state.ts';
import { createMemoryState, createOverlayState } from '../cache/state/memory-state.ts';
import type { Account, Config, PinConfig, RegistryConfig, StateConfig } from '../config/types.ts';
import type { Gun } from '../names/reference.ts';
import { mostSpecific } from '../policy/pattern.ts';
import { parseBundle } from '../trust-client/certificates.ts';
import type { RootPin } from '../trust-client/root-trust.ts';
import type { TrustState } from '../trust-client/types.ts';
import { createHttpClient, type HttpClientOptions } from '../upstream/http-client.ts';
import type { ClientAuth, HttpClient } from '../upstream/types.ts';

type Observe = HttpClientOptions['onRequest'];

/** A state that can say whether it works; for a proxy that serves. @throws TrustError when it does not. */
export async function openState(config: StateConfig): Promise<TrustState & { probe(): Promise<void> }> {
  if (config.kind === 'file') return await openFileState(config.path);
  return { ...createMemoryState(), probe: async () => undefined };
}

/** The same state for a command that looks and changes nothing. */
export function openReadOnlyState(config: StateConfig): TrustState {
  return config.kind === 'file' ? createOverlayState(createFileState(config.path)) : createMemoryState();
}

/** What must vouch for a repository's first root: the most specific pin, or what `firstUse` says. */
export function createPinFor({ pins, firstUse }: Config['trust']): (gun: Gun) => RootPin {
  const vouchers = new Map(pins.map((pin) => [pin, toRootPin(pin)]));
  const uncovered: RootPin = { kind: firstUse === 'accept' ? 'firstUse' : 'refuse' };
  return (gun) => {
    const pin = mostSpecific(pins, gun);
    return (pin && vouchers.get(pin)) ?? uncovered;
  };
}

function toRootPin(pin: PinConfig): RootPin {
  switch (pin.kind) {
    case 'keys':
      return { kind: 'keys', ids: new Set(pin.rootKeys) };
    case 'ca':
      return { kind: 'ca', anchors: parseBundle(pin.ca.pem) ?? [] };
  }
}

export function createTrustClient({ name, trust }: RegistryConfig, onRequest?: Observe): HttpClient {
  return createHttpClient({
    upstream: name,
    kind: 'notary',
    baseUrl: trust.server,
    auth: toClientAuth(trust.auth),
    ...(trust.tokenServer === undefined ? {} : { tokenServer: trust.tokenServer }),
    ...(trust.ca === undefined ? {} : { ca: trust.ca.pem }),
    ...(onRequest === undefined ? {} : { onRequest }),
  });
}

export function createRegistryClient(
  { name, upstream, ca, auth, tokenServer }: RegistryConfig,
  onRequest?: Observe,
): HttpClient {
  return createHttpClient({
    upstream: name,
    kind: 'registry',
    baseUrl: upstream,
    auth: toClientAuth(auth),
    ...(tokenServer === undefined ? {} : { tokenServer }),
    ...(ca === undefined ? {} : { ca: ca.pem }),
    ...(onRequest === undefined ? {} : { onRequest }),
  });
}

/** The password file is read when the password is needed, so that a replaced one counts without a restart. */
function toClientAuth(auth: { readonly kind: 'passthrough' | 'anonymous' } | Account): ClientAuth {
  if (auth.kind !== 'account') return { kind: auth.kind };
  const { username, passwordFile } = auth;
  const password = () => readFileSync(passwordFile, 'utf8').split(/\r?\n/, 1)[0] ?? '';
  return { kind: 'basic', username, password };
}
