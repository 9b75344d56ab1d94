/** How each client pulls, and what the end of a pull of the canary says about the client. Pure. */
import { CANARY_WORDS } from '../../words.ts';
import { CERTS_D } from '../containerd/render.ts';

export const PULLING_CLIENTS = ['docker', 'ctr', 'crictl', 'nerdctl', 'podman', 'skopeo', 'buildah'] as const;
export type PullingClient = (typeof PULLING_CLIENTS)[number];

export type PullCommand = {
  readonly args: readonly string[];
  /** Takes the image away again, should it arrive; undefined: nothing stays behind. */
  readonly remove: string | undefined;
};

type Asked = {
  readonly image: string;
  /** Further options of the client's pull. */
  readonly options: readonly string[];
  /** A folder that is removed afterwards. */
  readonly folder: string;
};

/** Each asks the registry again also where the image is there. */
const COMMANDS = {
  docker: ({ image, options }) => ({ args: ['pull', ...options, image], remove: `docker image rm ${image}` }),
  // ctr does not read containerd's configuration; this is where that has its hosts.toml.
  ctr: ({ image, options }) => ({
    args: ['images', 'pull', '--hosts-dir', CERTS_D, ...options, image],
    remove: `ctr images rm ${image}`,
  }),
  crictl: ({ image, options }) => ({ args: ['pull', ...options, image], remove: `crictl rmi ${image}` }),
  nerdctl: ({ image, options }) => ({ args: ['pull', ...options, image], remove: `nerdctl rmi ${image}` }),
  podman: ({ image, options }) => ({ args: ['pull', ...options, image], remove: `podman rmi ${image}` }),
  skopeo: ({ image, options, folder }) => ({
    args: ['copy', ...options, `docker://${image}`, `dir:${folder}`],
    remove: undefined,
  }),
  buildah: ({ image, options }) => ({
    args: ['pull', '--policy', 'always', ...options, image],
    remove: `buildah rmi ${image}`,
  }),
} as const satisfies Record<PullingClient, (asked: Asked) => PullCommand>;

export function toPullCommand(client: PullingClient, asked: Asked): PullCommand {
  return COMMANDS[client](asked);
}

/** How the client's program came to its end. */
export type PullEnd =
  | { readonly kind: 'not_started'; readonly cause: string }
  | { readonly kind: 'timed_out'; readonly text: string }
  /** `status` is undefined when a signal ended it. */
  | { readonly kind: 'ended'; readonly status: number | undefined; readonly text: string };

/**
 * `held`: the proxy refused it, and nobody else was asked · `hole`: the image arrived · `unproved`: it did not, and
 * nothing shows that this was the proxy's doing.
 */
export type PullVerdict = {
  readonly result: 'held' | 'hole' | 'unproved';
  /** One sentence. */
  readonly because: string;
  /** The line of the client's that tells most; empty when it showed none. */
  readonly says: string;
};

export function judgePull(end: PullEnd): PullVerdict {
  if (end.kind === 'not_started') return { result: 'unproved', because: end.cause, says: '' };
  const lines = end.text.split('\n').filter((line) => line.trim() !== '');
  const said = lines.findLast((line) => line.includes(CANARY_WORDS));
  const says = toPlain(said ?? lines.at(-1) ?? '');
  if (end.kind === 'timed_out') {
    return { result: 'unproved', because: 'the pull did not end in time', says };
  }
  if (end.status === 0)
    return { result: 'hole', because: 'the image arrived, and the proxy never serves it', says };
  if (said === undefined) {
    return {
      result: 'unproved',
      because: 'the pull failed, and nothing shows that the proxy refused it',
      says,
    };
  }
  if (!isLastWord(end.text)) {
    return { result: 'unproved', because: 'after the refusal another registry was asked, and failed', says };
  }
  return { result: 'held', because: 'the proxy refused it, and the client stopped there', says };
}

/**
 * containers/image is alone in naming every place it asked: `(Mirrors also failed: [first: …] [second: …]): last: …`.
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

/** A registry that is not ours may have written it. */
function toPlain(line: string): string {
  const plain = line.trim().replace(/[^\x20-\x7e]/g, '?');
  return plain.length > SHOWN ? `${plain.slice(0, SHOWN)}...` : plain;
}
