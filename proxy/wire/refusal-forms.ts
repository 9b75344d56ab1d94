/**
 * Refusals per kind of client: in which form an answer that is not the image leaves, so that no client takes it for
 * an invitation to ask the public registry instead (registry-clients.md §1.4, §1.7, §2).
 *
 * The form depends on how the request looks. Whether it is refused was decided before, and nothing here changes it:
 * a client that lies about itself only gets its refusal in another form. The body stays the registry error envelope.
 */

import { DOCKER_HUB } from '../names/reference.ts';
import { CAUSES, SENTENCES } from '../words.ts';
import { OPEN_PING } from './answers.ts';
import { parseChallenges } from './challenge.ts';
import type { RouteLabel } from './route-label.ts';
import type { Addressed, Response } from './types.ts';
import { MAX_PHRASE_LENGTH, toReasonPhrase } from './wire-errors.ts';

/** What a request shows of who asks, and from where. */
export type Asker = {
  readonly method: string;
  readonly userAgent: string | undefined;
  readonly authorization: string | undefined;
  readonly asks: RouteLabel;
  /** Of manifests: asked for by tag, or by what is no digest. */
  readonly isTag: boolean;
  /** undefined: no configured registry was meant. */
  readonly registry: string | undefined;
  /** `by` is undefined when the grammar refused the request. */
  readonly by: Addressed['by'] | undefined;
  readonly isOwnName: boolean;
};

/**
 * `plain`: as wire-errors.ts has it, such as 403 · `stop_300`: status 300, which is neither followed nor taken for a
 * reason to go on · `stop_esrch`: 503 with "no such process" at the end of its status line · `open_ping`: an
 * unauthenticated `/v2/` says 200 in place of a Basic challenge.
 */
export type Form = 'plain' | 'stop_300' | 'stop_esrch' | 'open_ping';

export type FormRow = {
  readonly client: string;
  readonly versions: string;
  /** How the client came, and for what. */
  readonly position: string;
  readonly matches: (asker: Asker) => boolean;
  readonly form: Form;
  /** What the client does with the form, and what the person reads. */
  readonly outcome: string;
  /** Document, section and what stands there. */
  readonly evidence: string;
  readonly test: { readonly file: string; readonly name: string };
};

const STICKY = 'test/real/sticky.test.ts';
const UNIT = 'test/wire/refusal-forms.test.ts';

/** The first row that matches counts; the last one matches everything. */
export const REFUSAL_FORMS: readonly FormRow[] = [
  {
    client: 'everybody',
    versions: 'all',
    position: 'a push or a delete, which no client sends to a mirror',
    matches: ({ method }) => method !== 'GET' && method !== 'HEAD',
    form: 'plain',
    outcome: '405 UNSUPPORTED',
    evidence: 'registry-clients.md §1.1, pull only; registry-clients.md §3, uploads',
    test: { file: UNIT, name: 'a push is refused in its own form' },
  },
  {
    client: 'containerd, ctr, CRI, BuildKit, dockerd with the containerd store',
    versions: 'containerd 1.6 to 2.x, dockerd 28 and 29',
    position:
      'mirror (ns): a tag, or HEAD of a digest; also where the proxy is the only host, which looks the same',
    matches: ({ by, asks, method, isTag }) =>
      by === 'ns' && asks === 'manifest' && (method === 'HEAD' || isTag),
    form: 'stop_300',
    outcome: 'stops, asks no other host: "unexpected status code …: 300 Denied by Pullwarden: <sentence>"',
    evidence:
      'registry-clients.md §1.4, 300 and 304 stop; registry-clients.md §2.1, 300 to 399 stop; registry-clients.md §1.7, the reason phrase is shown',
    test: { file: STICKY, name: 'ctr with an upstream behind the proxy stops at the refusal and shows it' },
  },
  {
    client: 'the same',
    versions: 'the same',
    position: 'mirror (ns): blobs, GET of a digest, anything else',
    matches: ({ by }) => by === 'ns',
    form: 'plain',
    outcome:
      'shows the message; asks the next host for the same digest, which no form prevents: close the way out',
    evidence: 'registry-clients.md §2.1, GET asks all hosts',
    test: { file: UNIT, name: 'containerd reads the message of a blob or of a digest it GETs' },
  },
  {
    client: 'dockerd, graphdriver store',
    versions: '20.10 to 29',
    position: 'registry-mirrors: manifests, blobs, tag lists of docker.io',
    matches: (asker) =>
      isDockerMirror(asker) && (asker.asks === 'manifest' || asker.asks === 'blob' || asker.asks === 'tags'),
    form: 'stop_esrch',
    outcome:
      'stops: "received unexpected HTTP status: 503 Denied by Pullwarden: <sentence> (no such process)"',
    evidence: 'registry-clients.md §1.4, "no such process" stops, every other status goes on to Hub',
    test: { file: STICKY, name: 'dockerd with a bare mirror stops at the refusal and shows it' },
  },
  {
    client: 'dockerd, graphdriver store',
    versions: '20.10 to 29',
    position: 'registry-mirrors: /v2/ of a registry that asks for Basic credentials',
    matches: (asker) => isDockerMirror(asker) && asker.asks === 'base',
    form: 'open_ping',
    outcome:
      'no Hub password is sent to a registry that is not Hub, and the refusal of the manifest sticks; a Bearer challenge passes, and where its token server says no, dockerd goes to Hub',
    evidence: 'registry-clients.md §1.4, /v2/ 401 with Basic; registry-clients.md §4.1 (a)',
    test: { file: UNIT, name: 'a daemon is not asked for its Docker Hub password by a mirror' },
  },
  {
    client: 'dockerd',
    versions: '20.10 to 29',
    position: 'the proxy is the registry host, also by DNS or as HTTPS proxy',
    matches: ({ userAgent }) => isDockerd(userAgent),
    form: 'plain',
    outcome: 'graphdriver: "denied: <message>"; containerd store: "403 Denied by Pullwarden: <sentence>"',
    evidence: 'registry-clients.md §1.6, 403 DENIED',
    test: { file: STICKY, name: 'dockerd with the proxy as registry host shows the whole message' },
  },
  {
    client: 'podman, skopeo, buildah, CRI-O; containerd with the proxy as registry host; crane; the rest',
    versions: 'all',
    position: 'any',
    matches: () => true,
    form: 'plain',
    outcome:
      'containers/image shows "denied: <message>"; behind a mirror entry it goes on to the primary whatever the form, unless that is blocked = true',
    evidence: 'registry-clients.md §2.4, any error of a mirror leads on; registry-clients.md §2.6',
    test: { file: UNIT, name: 'everybody else gets the plain refusal' },
  },
];

/** ESRCH: the one text at which dockerd gives up instead of going on to the next endpoint (registry-clients.md §1.4). */
const ESRCH = ' (no such process)';

export function formFor(asker: Asker): Form {
  return REFUSAL_FORMS.find(({ matches }) => matches(asker))?.form ?? 'plain';
}

/**
 * An answer in the form for this client. An answer that is not a refusal stays unchanged.
 *
 * @param image what was asked for, for the sentence about an answer that is an upstream's own.
 */
export function toForm(response: Response, asker: Asker, image: string): Response {
  if (response.status < 400) return response;
  switch (formFor(asker)) {
    case 'plain':
      return response;
    case 'open_ping':
      return isBasicOnly(response) ? OPEN_PING : response;
    case 'stop_300':
      // A challenge that can still be met must arrive, or nobody could log in.
      return mayLogIn(response, asker) ? response : restate(response, 300, phraseOf(response, image));
    case 'stop_esrch': {
      // Nor can a challenge be met here: dockerd only reads the one of `/v2/` (registry-clients.md §1.2).
      const phrase = phraseOf(response, image)
        .slice(0, MAX_PHRASE_LENGTH - ESRCH.length)
        .trimEnd();
      return restate(response, 503, phrase + ESRCH);
    }
  }
}

/** The User-Agent of Docker's daemon (registry-clients.md §1.2); its CLI calls itself Docker-Client. */
function isDockerd(userAgent: string | undefined): boolean {
  return userAgent !== undefined && /^docker\/[0-9]/.test(userAgent);
}

/**
 * A daemon's request that may have come to a mirror. It has no `ns`, and `docker pull proxy/library/alpine` looks
 * the same, so that gets this form too: it shows the sentence either way.
 */
function isDockerMirror({ userAgent, registry, by, isOwnName }: Asker): boolean {
  // Daemons mirror docker.io alone, and never put a registry into the path (registry-clients.md §1.1).
  const isHub = registry === undefined || registry === DOCKER_HUB;
  return isDockerd(userAgent) && isHub && by !== 'ns' && by !== 'path' && !isOwnName;
}

/** Whether the asker can still meet this challenge: with a first login, or with a new token for an expired one. */
function mayLogIn({ status, headers }: Response, { authorization }: Asker): boolean {
  if (status !== 401) return false;
  if (authorization === undefined) return true;
  return /^bearer /i.test(authorization) && !challengesOf(headers).includes('insufficient_scope');
}

function isBasicOnly({ status, headers }: Response): boolean {
  if (status !== 401) return false;
  const schemes = parseChallenges(challengesOf(headers)).map(({ scheme }) => scheme);
  return schemes.includes('basic') && !schemes.includes('bearer');
}

function challengesOf(headers: Response['headers']): string {
  const value = headers.get('WWW-Authenticate') ?? '';
  return typeof value === 'string' ? value : value.join(', ');
}

/** Our own refusals have their sentence; an upstream's gets one, without a word of the upstream in it. */
function phraseOf({ status, reasonPhrase }: Response, image: string): string {
  if (reasonPhrase !== undefined) return reasonPhrase;
  return toReasonPhrase(SENTENCES.cannotServe(image, CAUSES.saysNo(status)), { code: 'UNAVAILABLE' });
}

/** Body, `Retry-After` and the rest stay; a challenge that leads nowhere does not. */
function restate(response: Response, status: number, reasonPhrase: string): Response {
  const headers = new Map(response.headers);
  headers.delete('WWW-Authenticate');
  return { ...response, status, reasonPhrase, headers };
}
