/** What an operator can do about an upstream that fails, in the words of the configuration. */
import { isCertificateFault, UNNAMED_UPSTREAM, type UpstreamError } from './errors.ts';

/** Where the configuration says what each kind of upstream is. */
export const CONFIG_KEYS = {
  registry: {
    address: 'upstream of this registry',
    ca: 'ca of this registry',
    auth: 'auth of this registry',
    tokenServer: 'registries[].tokenServer',
    pace: undefined,
  },
  notary: {
    address: 'trust.server of this registry',
    ca: 'trust.ca of this registry',
    auth: 'trust.auth of this registry',
    tokenServer: 'registries[].trust.tokenServer',
    pace: 'trust.refresh',
  },
} as const;

export type ConfigKeys = (typeof CONFIG_KEYS)[keyof typeof CONFIG_KEYS];

export function checkAddress({ address }: ConfigKeys): string {
  return `check ${address} and what stands before it`;
}

/** After a status that is no answer. */
export function nextStepAt(status: number, keys: ConfigKeys): string {
  if (status === 401 || status === 403) return `check ${keys.auth} in the configuration`;
  if (status === 429) {
    const limit = 'it limits how often it is asked; raise that limit';
    return keys.pace === undefined ? limit : `${limit}, or ${keys.pace}`;
  }
  return status >= 500 ? 'see its log and what stands before it' : checkAddress(keys);
}

/**
 * Why an upstream could not be used, and what to do. An error may be about another server on the way to the answer, such
 * as the token server: its message names that server, and the keys of `upstream` are of no use there.
 *
 * @param upstream the name in the configuration of the server that was asked.
 */
export function explainFailure(error: UpstreamError, upstream: string, keys: ConfigKeys): string {
  const { about, code, message } = error;
  const isOwn = about?.server === UNNAMED_UPSTREAM || about?.server === upstream;
  if (about === undefined || !isOwn) return message;
  return code === undefined ? about.why : `${about.why}; ${nextStepAfter(error, keys)}`;
}

/** After a connection that failed, or bytes that are not HTTP. */
function nextStepAfter(error: UpstreamError, keys: ConfigKeys): string {
  if (isCertificateFault(error)) return `check that certificate, and ${keys.ca}, which names its authority`;
  if (error.kind === 'bad_answer') return checkAddress(keys);
  return `see that it runs and that this host may connect to it, and check ${keys.address}`;
}
