import { render } from 'preact';
import { openSession } from './api.ts';
import { App } from './app.tsx';
import { followFeed, lock } from './feed.ts';

const root = document.getElementById('app');
if (root === null) throw new Error('the page has no place for the app');
render(<App />, root);
// The feed says whether there is a session; a wrong link leads to the same page as none.
openSession().then(followFeed, lock);
