/** The last thing that happens to an answer: a refusal gets the form its asker understands (refusal-forms.ts). */

import { type Asker, formFor, toForm } from '../wire/refusal-forms.ts';
import { toRouteLabel } from '../wire/route-label.ts';
import type { Response, RouteResult } from '../wire/types.ts';
import { toErrorResponse } from '../wire/wire-errors.ts';
import { CAUSES } from '../words.ts';
import { toImage } from './subject.ts';
import type { Answer, FinalAnswer, PullRequest } from './types.ts';

/** @param routed undefined when the request could not be parsed. */
export function inForm(request: PullRequest, routed: RouteResult | undefined, answer: Answer): FinalAnswer {
  const namespace = routed?.kind === 'route' ? routed.route.ns : undefined;
  const asker = toAsker(request, routed);
  const image = nameOf(routed);
  const dress = (response: Response): Response => toForm(response, asker, image);
  const busy = (): Response =>
    dress(
      toErrorResponse(
        { reason: 'deadline_exceeded', message: CAUSES.noRoomForAnswers },
        { requestId: request.requestId },
      ),
    );
  if (answer.kind === 'respond')
    return { kind: 'respond', namespace, busy, response: dress(answer.response) };
  const { onFailed, onRefused, ...forward } = answer.forward;
  const isDressed = onRefused !== undefined || formFor(asker) !== 'plain';
  return {
    kind: 'forward',
    namespace,
    busy,
    forward: {
      ...forward,
      onFailed: (...failure) => dress(onFailed(...failure)),
      // Without a form of its own, an upstream's refusal streams like everything else.
      ...(isDressed ? { onRefused: async (refusal) => dress((await onRefused?.(refusal)) ?? refusal) } : {}),
    },
  };
}

export function toAsker(
  { method, target, userAgent, authorization }: PullRequest,
  routed: RouteResult | undefined,
): Asker {
  const { route, addressed } = readRouted(routed);
  return {
    method,
    userAgent,
    authorization,
    asks: toRouteLabel(target),
    isTag: route?.kind !== 'manifest' || route.reference.kind === 'tag',
    registry: route?.registry,
    // What the grammar refused was not read further than this.
    by: addressed?.by ?? (/[?&]ns=/.test(target) ? 'ns' : undefined),
    isOwnName: addressed?.isOwnName ?? false,
  };
}

function readRouted(routed: RouteResult | undefined) {
  if (routed?.kind === 'route') return { route: routed.route, addressed: routed.route };
  return { route: undefined, addressed: routed?.addressed };
}

function nameOf(routed: RouteResult | undefined): string {
  const isNamed = routed?.kind === 'route' && routed.route.kind !== 'base';
  return isNamed ? toImage(routed.route) : 'this request';
}
