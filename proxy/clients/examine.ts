/** Runs every examination of a node and formats what it finds. Pure but for the port it reads files through. */
import { examineBuildkit } from './buildkit/examine.ts';
import { examineContainerd } from './containerd/examine.ts';
import { examineDockerd } from './dockerd/examine.ts';
import { examineDockerConfig } from './dockerd/proxies.ts';
import { examineEgress } from './egress/examine.ts';
import { examineK3s } from './k3s/examine.ts';
import { examineEtcHosts } from './node/etc-hosts.ts';
import { examineOverrides } from './node/overrides.ts';
import type { Hole, Scene } from './node/types.ts';
import { examineRegistriesConf } from './podman/examine.ts';

const EXAMINATIONS: readonly ((scene: Scene) => readonly Hole[])[] = [
  examineDockerd,
  examineDockerConfig,
  examineContainerd,
  examineRegistriesConf,
  examineOverrides,
  examineK3s,
  examineBuildkit,
  examineEtcHosts,
  examineEgress,
];

/** Each hole once, by file and line. */
export function examineNode(scene: Scene): readonly Hole[] {
  const holes = EXAMINATIONS.flatMap((examine) => examine(scene));
  const distinct = new Map(holes.map((hole) => [formatHole(hole), hole] as const));
  return [...distinct.values()].toSorted(
    (a, b) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1) || a.line - b.line,
  );
}

/** `/etc/docker/daemon.json:3 dockerd: what is open; write this instead`, on one line whatever the files hold. */
export function formatHole({ file, line, client, open, write }: Hole): string {
  return `${file}:${line} ${client}: ${open}; ${write}`.replace(/\p{Cc}/gu, '?');
}
