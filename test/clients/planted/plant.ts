/** Holes as people make them: each is planted into a node that is otherwise locked by the generated files. */
import type { NodeContent } from '../kit.ts';

/** Which generated files the node has: client and form. */
export type Base =
  | 'dockerd'
  | 'dockerd mirror'
  | 'dockerd https-proxy'
  | 'containerd'
  | 'podman'
  | 'podman remap'
  | 'k3s'
  | 'buildkit'
  | 'nothing';

export type Planted = {
  readonly name: string;
  readonly base: Base;
  /** Whether the firewall's files are there. */
  readonly egress: boolean;
  /** undefined takes a file away. */
  readonly plant: Readonly<Record<string, string | undefined>>;
  /** The beginning of each line doctor prints, and words of it. */
  readonly found: readonly (readonly [start: string, words: string])[];
};

/** The proxy of the configuration in kit.ts. */
export const P = 'https://proxy.example.com:5050';

export const json = (value: unknown) => JSON.stringify(value, undefined, 2);
export const hosts = (...lines: readonly string[]) => `${lines.join('\n')}\n`;

export function plant(
  name: string,
  base: Base,
  files: Planted['plant'],
  ...found: Planted['found']
): Planted {
  return {
    name,
    base,
    egress: ['dockerd', 'dockerd mirror', 'buildkit'].includes(base),
    plant: files,
    found,
  };
}

export function unlocked(planted: Planted): Planted {
  return { ...planted, egress: false };
}

/** The node of a planted hole. */
export function applyPlant(content: NodeContent, { plant: files }: Planted): NodeContent {
  const merged = { ...content, ...files };
  return Object.fromEntries(
    Object.entries(merged).flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])),
  );
}
