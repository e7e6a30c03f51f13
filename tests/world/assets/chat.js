'use strict';
(() => {
  const at = (id) => document.getElementById(id);
  const params = new URLSearchParams(location.search);
  const me = params.get('user') || 'alice';
  let channel = params.get('channel') || 'weekly';
  let thread = params.get('thread') || '';
  let view = null;
  let version = 0;
  let drawn = '';
  let asking = null;
  const seen = {};
  const colours = ['#23b8e0', '#7a33c4', '#d9603b', '#2f9e6e', '#c93d7e', '#5566d6', '#b3851d'];

  // Builds an element; text is always text, never HTML.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === 'onclick') element.addEventListener('click', value);
      else element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  // The server has rendered and cleaned this HTML.
  function markdown(html, tag) {
    const element = make(tag || 'div', { class: 'md' });
    element.innerHTML = html;
    return element;
  }

  const isWeb = (url) => /^https?:\/\//i.test(url);
  const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
  function dayOf(ms) {
    const date = new Date(ms);
    const today = new Date();
    return date.toDateString() === today.toDateString() ? 'Today' : date.toLocaleDateString([], { dateStyle: 'long' });
  }
  function ago(ms) {
    const minutes = Math.floor((Date.now() - ms) / 60000);
    if (minutes < 1) return 'just now';
    if (minutes < 60) return minutes + (minutes === 1 ? ' minute ago' : ' minutes ago');
    return clock(ms);
  }

  function face(name, kind, small) {
    if (kind) return make('span', { class: 'avatar ' + kind });
    let sum = 0;
    for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
    const element = make('span', { class: small ? 'sign face' : 'avatar' }, (name[0] || '?').toUpperCase());
    element.style.background = colours[sum % colours.length];
    return element;
  }

  function card(one) {
    const box = make('div', { class: 'card' });
    if (/^#[0-9a-f]{3,6}$/i.test(one.color)) box.style.borderLeftColor = one.color;
    if (one.author) box.append(make('div', { class: 'only' }, one.author));
    if (one.title) {
      const title = isWeb(one.link)
        ? make('a', { href: one.link, target: '_blank', rel: 'noopener noreferrer' }, one.title) : one.title;
      box.append(make('div', { class: 'ttl' }, title));
    }
    if (one.html) box.append(markdown(one.html));
    if (one.fields.length) {
      box.append(make('div', { class: 'fields' }, ...one.fields.map((field) =>
        make('div', { class: field.is_short ? '' : 'long' }, make('h3', null, field.title), markdown(field.html)))));
    }
    if (one.footer) box.append(make('div', { class: 'foot' }, one.footer));
    return one.pretext ? make('div', null, markdown(one.pretext), box) : box;
  }

  function postRow(post, before, inThread) {
        const same = before && before.author === post.author && before.is_bot === post.is_bot && !post.only_you
      && !before.only_you && post.at - before.at < 300000 && !before.reply_count;
    const body = make('div', { class: 'body' });
    if (!same) {
      body.append(make('div', { class: 'by' }, make('b', null, post.author),
        post.is_bot && !post.is_system ? make('span', { class: 'tag' }, 'BOT') : null,
        make('time', { datetime: new Date(post.at).toISOString(), title: new Date(post.at).toLocaleString() },
          inThread ? ago(post.at) : clock(post.at)),
        post.only_you ? make('span', { class: 'only' }, '(Only visible to you)') : null));
    }
    const message = markdown(post.html);
    if (post.is_edited) {
      // Behind the text; on a line of its own when there is none.
      message.classList.add(post.html ? 'has-mark' : 'only-mark');
      message.append(make('span', { class: 'edited' }, 'Edited'));
    }
    if (message.childNodes.length) body.append(message);
    body.append(...post.attachments.map(card));
    if (!inThread && post.replies.length) {
      const count = post.reply_count || post.replies.length;
      const last = post.replies[post.replies.length - 1];
      body.append(make('button', {
        class: 'answers' + (thread === post.id ? ' open' : ''), type: 'button', onclick: () => openThread(post.id),
      }, face(last.author, last.face), '\u21a9 ' + count + (count === 1 ? ' reply' : ' replies'),
      make('span', { class: 'last' }, 'Last reply ' + ago(last.at))));
    } else if (!inThread && !post.is_system && !post.only_you) {
      body.append(make('button', {
        class: 'start', type: 'button', title: 'Reply', 'aria-label': 'Reply', onclick: () => openThread(post.id),
      }, '\u21a9'));
    }
    const avatar = same ? make('span', { class: 'avatar none' }) : face(post.author, post.face);
    return make('div', { class: 'post' + (same ? ' same' : '') + (post.is_system ? ' system' : ''), 'data-id': post.id }, avatar, body);
  }

  function fill(box, rows) {
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
    const top = box.scrollTop;
    box.replaceChildren(...rows);
    box.scrollTop = isAtEnd ? box.scrollHeight : top;
  }

  function drawPosts() {
    const rows = [];
    let before = null;
    let day = '';
    for (const post of view.posts) {
      if (dayOf(post.at) !== day) {
        day = dayOf(post.at);
        rows.push(make('div', { class: 'day' }, day));
        before = null;
      }
      rows.push(postRow(post, before, false));
      before = post;
    }
    if (!rows.length) rows.push(make('p', { class: 'empty' }, 'Nothing has been said in ' + view.channel.label + ' yet.'));
    fill(at('posts'), rows);
  }

  function drawThread() {
    const root = view.posts.find((post) => post.id === thread);
    at('thread').hidden = !root;
    if (!root) { thread = ''; return; }
    at('thread-channel').textContent = view.channel.label;
    const count = root.replies.length;
    const rows = [postRow(root, null, true)];
    if (count) rows.push(make('div', { class: 'rule' }, count + (count === 1 ? ' reply' : ' replies')));
    root.replies.forEach((reply) => rows.push(postRow(reply, null, true)));
    fill(at('replies'), rows);
  }

  function drawSide() {
    at('team').textContent = view.team || '';
    const rows = [];
    let group = '';
    for (const one of view.channels) {
      const isClosed = one.kind === 'D' || one.kind === 'G';
      const title = isClosed ? 'Direct messages' : 'Channels';
      if (title !== group) rows.push(make('div', { class: 'group' }, group = title));
      if (one.name === channel) seen[one.name] = one.last_post_at;
      const isUnread = seen[one.name] !== undefined && one.last_post_at > seen[one.name];
      if (seen[one.name] === undefined) seen[one.name] = one.last_post_at;
      const sign = isClosed ? face(one.label, '', true) : make('span', { class: 'sign ' + (one.kind === 'P' ? 'lock' : 'globe') });
      rows.push(make('button', {
        class: 'channel' + (one.name === channel ? ' here' : '') + (isUnread ? ' unread' : ''), type: 'button',
        onclick: () => { go(one.name); },
      }, sign, one.label));
    }
    at('channels').replaceChildren(...rows);
    const list = at('me');
    if (list.options.length !== view.people.length) {
      list.replaceChildren(...view.people.map((one) =>
        make('option', { value: one.username, selected: one.username === me }, one.display_name)));
    }
  }

  function drawPanel(panel) {
    const isShown = Boolean(panel.title || panel.actions.length);
    const content = () => {
      const acts = panel.actions.map((action, index) => action.url && isWeb(action.url)
        ? make('a', { class: 'act', href: action.url, target: '_blank', rel: 'noopener noreferrer' }, action.label)
        : make('button', { class: 'act' + (action.is_danger ? ' danger' : ''), type: 'button', onclick: (event) => press(event.currentTarget, index, action.label) }, action.label));
      return [make('h2', null, panel.title), ...panel.lines.map((line) => make('p', null, line)), make('div', { class: 'acts' }, ...acts)];
    };
    for (const id of ['panel', 'panel-strip']) {
      at(id).hidden = !isShown;
      at(id).replaceChildren(...(isShown ? content() : []));
    }
  }

  function draw(state) {
    view = state.view;
    document.title = view.channel.label + ' - ' + view.team;
    at('title').textContent = view.channel.label;
    at('phone-title').textContent = view.channel.label;
    at('members').textContent = view.channel.members + ' members';
    at('text').placeholder = 'Write to ' + view.channel.label;
    at('composer').hidden = view.channel.is_archived;
    drawSide();
    drawPanel(state.panel);
    drawPosts();
    drawThread();
  }

  function take(state) {
    version = state.version;
    const now = JSON.stringify([state.view, state.panel]);
    if (now === drawn) return;
    drawn = now;
    draw(state);
  }

  async function listen() {
    for (;;) {
      asking = new AbortController();
      const query = new URLSearchParams({ user: me, channel, after: String(version) });
      try {
        const answer = await fetch('/demo/state?' + query, { signal: asking.signal });
        if (!answer.ok) throw new Error((await answer.json()).error);
        take(await answer.json());
        if (at('toast').dataset.kind === 'down') hush();
      } catch (error) {
        if (error.name === 'AbortError') continue;
        if (error instanceof TypeError) {
          tell('Connection lost: Mattermost is down. Trying again...', true, 'down');
        } else {
          tell(error.message, true);
        }
        await new Promise((done) => setTimeout(done, 1000));
      }
    }
  }

  function refresh() {
    version = 0;
    drawn = '';
    if (asking) asking.abort();
  }

  function go(name) {
    channel = name;
    thread = '';
    at('failure').textContent = '';
    at('posts').scrollTop = 0;
    menu(false);
    address();
    refresh();
  }

  function openThread(id) {
    thread = id;
    address();
    drawPosts();
    drawThread();
    at('replies').scrollTop = at('replies').scrollHeight;
  }

  function address() {
    const query = new URLSearchParams({ user: me, channel });
    if (thread) query.set('thread', thread);
    history.replaceState(null, '', '?' + query);
  }

  function menu(isOpen) {
    at('side').classList.toggle('open', isOpen);
    at('menu').setAttribute('aria-expanded', String(isOpen));
  }

  let hushing = 0;
  function tell(text, isBad, kind) {
    clearTimeout(hushing);
    const toast = at('toast');
    toast.textContent = text;
    toast.className = 'toast' + (isBad ? ' bad' : '');
    toast.dataset.kind = kind || '';
    toast.hidden = false;
    if (!kind) hushing = setTimeout(hush, 6000);
  }
  function hush() {
    at('toast').hidden = true;
    at('toast').dataset.kind = '';
  }

  async function post(path, body) {
    let answer;
    try {
      answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    } catch {
      throw new Error('Mattermost is down.');
    }
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    if (said.goto && isWeb(said.goto)) window.open(said.goto, '_blank', 'noopener');
    return said;
  }

  async function press(button, index, label) {
    button.disabled = true;
    try {
      const said = await post('/demo/action', { index, label });
      if (said.told) tell(said.told, false);
    } catch (error) {
      tell(error.message, true);
    }
    button.disabled = false;
  }

  function composer(form, field, failure, root) {
    const input = at(field);
    const button = at(form).querySelector('.send');
    const fit = () => {
      button.disabled = !input.value.trim();
      input.style.height = 'auto';
      input.style.height = Math.min(input.scrollHeight, 160) + 'px';
    };
    input.addEventListener('input', fit);
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        at(form).requestSubmit();
      }
    });
    at(form).addEventListener('submit', async (event) => {
      event.preventDefault();
      const text = input.value;
      if (!text.trim() || button.disabled) return;
      button.disabled = true;
      at(failure).textContent = '';
      const box = at(root() ? 'replies' : 'posts');
      box.scrollTop = box.scrollHeight;
      try {
        await post('/demo/send', { user: me, channel, text, root_id: root() });
        input.value = '';
      } catch (error) {
        // As in the real client: a red line, and the typed text stays.
        at(failure).textContent = error.message;
      }
      fit();
      input.focus();
    });
    fit();
  }

  composer('composer', 'text', 'failure', () => '');
  composer('reply', 'reply-text', 'reply-failure', () => thread);
  at('menu').addEventListener('click', () => menu(!at('side').classList.contains('open')));
  at('close').addEventListener('click', () => { openThread(''); });
  at('me').addEventListener('change', (event) => {
    location.search = '?' + new URLSearchParams({ user: event.target.value, channel: 'weekly' });
  });
  document.querySelectorAll('.try').forEach((button) => button.addEventListener('click', () => {
    at('text').value = button.textContent;
    at('text').dispatchEvent(new Event('input'));
    at('text').focus();
  }));
  // Who stood at the end stays there when the window or the panel changes its size.
  for (const id of ['posts', 'replies']) {
    const box = at(id);
    let isAtEnd = true;
    box.addEventListener('scroll', () => { isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 120; });
    new ResizeObserver(() => { if (isAtEnd) box.scrollTop = box.scrollHeight; }).observe(box);
  }
  const first = JSON.parse(at('first').textContent);
  if (first) take(first);
  listen();
})();
