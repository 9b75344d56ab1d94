/** Renders the configuration of each client, and prints it. */
import { renderBuildkit } from './buildkit/render.ts';
import { renderContainerd } from './containerd/render.ts';
import { DOCKERD_FORMS, renderDockerd } from './dockerd/render.ts';
import { renderK3s } from './k3s/render.ts';
import { LockError } from './lock-error.ts';
import { PODMAN_FORMS, renderPodman } from './podman/render.ts';
import type { ClientFile, ClientKit, ClientTest, Lock } from './types.ts';

export const CLIENTS = ['dockerd', 'containerd', 'podman', 'k3s', 'buildkit'] as const;
export type ClientName = (typeof CLIENTS)[number];

/** The first one is the default. */
export const FORMS = {
  dockerd: DOCKERD_FORMS,
  containerd: [],
  podman: PODMAN_FORMS,
  k3s: ['k3s', 'rke2'],
  buildkit: [],
} as const satisfies Record<ClientName, readonly string[]>;

/** @throws LockError for a form that the client does not have. */
export function renderKit(client: ClientName, lock: Lock, as: string | undefined): ClientKit {
  switch (client) {
    case 'dockerd':
      return renderDockerd(lock, chooseForm(FORMS.dockerd, client, as));
    case 'containerd':
      chooseForm(FORMS.containerd, client, as);
      return renderContainerd(lock);
    case 'podman':
      return renderPodman(lock, chooseForm(FORMS.podman, client, as));
    case 'k3s':
      return renderK3s(lock, chooseForm(FORMS.k3s, client, as));
    case 'buildkit':
      chooseForm(FORMS.buildkit, client, as);
      return renderBuildkit(lock);
  }
}

function chooseForm<T extends string>(
  forms: readonly T[],
  client: ClientName,
  as: string | undefined,
): T | undefined {
  if (as === undefined) return undefined;
  const form = forms.find((name) => name === as);
  if (form !== undefined) return form;
  const next = forms.length === 0 ? 'leave --as out' : `write one of ${forms.join(', ')}`;
  throw new LockError(`${client} has no form "${as}"; ${next}`);
}

/** A kit as text, the files in full. */
export function printKit(kit: ClientKit): string {
  return [
    `==== ${kit.title} ====`,
    '',
    ...printWarnings(kit.warnings),
    ...kit.files.flatMap(printFile),
    ...printGuide(kit),
  ].join('\n');
}

/** The steps and tests that remain after the files are written. */
export function printGuide({ steps, tests }: Pick<ClientKit, 'steps' | 'tests'>): readonly string[] {
  return [
    '---- Steps that complete the lock ----',
    ...steps.map((step, at) => `${at + 1}. ${step}`),
    '',
    '---- Test that the lock works ----',
    ...tests.flatMap(printTest),
  ];
}

export function printWarnings(warnings: readonly string[]): readonly string[] {
  return ['---- Warnings ----', ...warnings.map((warning) => `! ${warning}`), ''];
}

function printFile({ path, content, merge }: ClientFile): readonly string[] {
  const heading = merge ? `${path} (merge into the existing file)` : path;
  return [`---- File ${heading} ----`, content];
}

function printTest({ command, expected }: ClientTest): readonly string[] {
  return [`$ ${command}`, `  ${expected}`];
}
