/** How each client pulls, and what the outcome of a pull of the canary proves. Pure. */
import { CANARY_WORDS } from '../../words.ts';
import { CERTS_D } from '../containerd/render.ts';

export const PULLING_CLIENTS = [
  'dockerd',
  'ctr',
  'crictl',
  'nerdctl',
  'podman',
  'skopeo',
  'buildah',
] as const;
export type PullingClient = (typeof PULLING_CLIENTS)[number];

export type PullCommand = {
  readonly program: string;
  readonly args: readonly string[];
  /** Removes the image, if it arrived; undefined: none is kept. */
  readonly remove: string | undefined;
};

type Asked = {
  readonly image: string;
  /** Further options of the client's pull. */
  readonly options: readonly string[];
  /** A temporary folder. */
  readonly folder: string;
};

/** Each of them contacts the registry even if the image is already there. */
const COMMANDS = {
  dockerd: ({ image, options }) => ({
    program: 'docker',
    args: ['pull', ...options, image],
    remove: `docker image rm ${image}`,
  }),
  // ctr does not read containerd's configuration, which names this folder.
  ctr: ({ image, options }) => ({
    program: 'ctr',
    args: ['images', 'pull', '--hosts-dir', CERTS_D, ...options, image],
    remove: `ctr images rm ${image}`,
  }),
  crictl: ({ image, options }) => ({
    program: 'crictl',
    args: ['pull', ...options, image],
    remove: `crictl rmi ${image}`,
  }),
  nerdctl: ({ image, options }) => ({
    program: 'nerdctl',
    args: ['pull', ...options, image],
    remove: `nerdctl rmi ${image}`,
  }),
  podman: ({ image, options }) => ({
    program: 'podman',
    args: ['pull', ...options, image],
    remove: `podman rmi ${image}`,
  }),
  skopeo: ({ image, options, folder }) => ({
    program: 'skopeo',
    args: ['copy', ...options, `docker://${image}`, `dir:${folder}`],
    remove: undefined,
  }),
  buildah: ({ image, options }) => ({
    program: 'buildah',
    args: ['pull', '--policy', 'always', ...options, image],
    remove: `buildah rmi ${image}`,
  }),
} as const satisfies Record<PullingClient, (asked: Asked) => PullCommand>;

export function toPullCommand(client: PullingClient, asked: Asked): PullCommand {
  return COMMANDS[client](asked);
}

/** How the client's program ended. */
export type PullEnd =
  | { readonly kind: 'not_started'; readonly cause: string }
  | { readonly kind: 'timed_out'; readonly text: string }
  /** `status` is undefined when a signal ended it. */
  | { readonly kind: 'ended'; readonly status: number | undefined; readonly text: string };

/**
 * `enforced`: the proxy refused the pull, and the client asked no other registry · `bypassed`: the image arrived ·
 * `inconclusive`: the pull failed, but nothing shows that the proxy refused it.
 */
export type PullVerdict = {
  readonly result: 'enforced' | 'bypassed' | 'inconclusive';
  /** One sentence. */
  readonly because: string;
  /** The most telling line of the client's output; empty when there was none. */
  readonly says: string;
};

export function judgePull(end: PullEnd): PullVerdict {
  if (end.kind === 'not_started') return { result: 'inconclusive', because: end.cause, says: '' };
  const lines = end.text.split('\n').filter((line) => line.trim() !== '');
  const said = lines.findLast((line) => line.includes(CANARY_WORDS));
  const says = toPlain(said ?? lines.at(-1) ?? '');
  if (end.kind === 'timed_out') {
    return { result: 'inconclusive', because: 'the pull did not end in time', says };
  }
  if (end.status === 0)
    return { result: 'bypassed', because: 'the image arrived, but the proxy never serves it', says };
  if (said === undefined) {
    return {
      result: 'inconclusive',
      because: 'the pull failed, but nothing shows that the proxy refused it',
      says,
    };
  }
  if (!isLastWord(end.text)) {
    return {
      result: 'inconclusive',
      because: 'besides the proxy, the client tried another registry, which failed',
      says,
    };
  }
  return { result: 'enforced', because: 'the proxy refused it, and the client stopped there', says };
}

/**
 * Only containers/image names every place it tried: `(Mirrors also failed: [first: …] [second: …]): last: …`.
 * Each of them must be the proxy that refuses, or a registry that its configuration blocks.
 */
function isLastWord(text: string): boolean {
  const [, mirrors, primary] = /\(Mirrors also failed: \[(.*)\]\): (.*)/s.exec(text) ?? [];
  if (mirrors === undefined || primary === undefined) return true;
  // logrus writes a line break as \n.
  const attempts = [...mirrors.split(/\](?:\s|\\n)*\[/), primary];
  return attempts.every((attempt) => attempt.includes(CANARY_WORDS) || /\bis blocked in\b/.test(attempt));
}

/** Characters of a client's line that are shown. */
const SHOWN = 600;

/** The line may come from another registry: it is shortened and made printable. */
function toPlain(line: string): string {
  const plain = line.trim().replace(/[^\x20-\x7e]/g, '?');
  return plain.length > SHOWN ? `${plain.slice(0, SHOWN)}...` : plain;
}
