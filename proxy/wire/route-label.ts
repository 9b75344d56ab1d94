/** What kind of request a target looks like, for metrics alone: the label is there before the grammar has spoken. */

export type RouteLabel = 'base' | 'manifest' | 'blob' | 'tags' | 'referrers' | 'trust' | 'other';

export function toRouteLabel(target: string): RouteLabel {
  const [whole = ''] = target.split('?', 1);
  // A mirror's path prefix comes before it; whether it is a configured one does not matter here.
  const path = whole.slice(Math.max(whole.indexOf('/v2/'), 0));
  if (path === '/v2/') return 'base';
  if (!path.startsWith('/v2/')) return 'other';
  if (path.includes('/_trust/')) return 'trust';
  if (path.endsWith('/tags/list')) return 'tags';
  const kinds = [
    { label: 'manifest', at: path.lastIndexOf('/manifests/') },
    { label: 'blob', at: path.lastIndexOf('/blobs/') },
    { label: 'referrers', at: path.lastIndexOf('/referrers/') },
  ] as const;
  const last = kinds.reduce((best, next) => (next.at > best.at ? next : best));
  return last.at < 0 ? 'other' : last.label;
}
