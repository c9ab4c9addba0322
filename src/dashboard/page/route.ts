import { useEffect, useState } from 'preact/hooks';

/** Where the page is, as it stands behind the # : a screen, and what it is about. */
export type Route = { readonly screen: string; readonly rest: readonly string[] };

function routeOf(hash: string): Route {
  const [screen = '', ...rest] = hash
    .replace(/^#\/?/, '')
    .split('/')
    .map((part) => decodeURIComponent(part));
  return { screen, rest };
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const onChange = (): void => setRoute(routeOf(location.hash));
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return route;
}

export function linkTo(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}
