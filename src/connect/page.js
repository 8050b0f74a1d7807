// Tells the app that opened this page, or holds it in a frame, how connecting ended. A browser hands a message only to
// the origin that it is addressed to, and only listed origins are addressed.
(() => {
  const { origins, message, connection } = JSON.parse(document.getElementById('told').textContent);
  const framed = window.parent !== window;
  const post = (target, what) => origins.forEach((origin) => target.postMessage(what, origin));
  if (message) {
    if (framed) post(window.parent, message);
    if (window.opener) post(window.opener, message);
  }

  // What the SDKs' openNewConnection() speaks with the page in its frame: Penpal's handshake, then calls.
  let call = () => {};
  if (framed) {
    window.addEventListener('message', ({ source, origin, data }) => {
      if (source !== window.parent || !origins.includes(origin) || data?.penpal !== 'synAck') return;
      source.postMessage({ penpal: 'ack', methodNames: [] }, origin);
      let id = 0;
      call = (methodName, ...args) => source.postMessage({ penpal: 'call', id: ++id, methodName, args }, origin);
      // The newer SDK shows the frame only then.
      call('handshake');
      if (connection) {
        call('onSuccess', connection);
        call('close');
      }
    });
    post(window.parent, { penpal: 'syn' });
  }

  const cancel = document.getElementById('cancel');
  if (cancel && (framed || window.opener)) {
    cancel.hidden = false;
    cancel.addEventListener('click', (event) => {
      event.preventDefault();
      if (framed) call('close');
      else window.close();
    });
  }
  const form = document.querySelector('form');
  const complain = (what) => {
    const alert = document.querySelector('.alert') ?? Object.assign(document.createElement('div'), { className: 'alert' });
    alert.setAttribute('role', 'alert');
    alert.replaceChildren(Object.assign(document.createElement('p'), { textContent: what }));
    form.prepend(alert);
  };
  const button = document.querySelector('.actions button');
  if (framed && form?.dataset.consent) {
    // Third parties let nobody hold their login in a frame: it is shown in a window of its own, and how it ended is told
    // by an event. Each try has a name of its own.
    form.target = '_blank';
    form.rel = 'opener';
    const name = form.elements.requestId ?? form.appendChild(Object.assign(document.createElement('input'), { type: 'hidden', name: 'requestId' }));
    form.addEventListener('submit', () => {
      name.value = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
      const events = new EventSource(`/sse/connection-events/${name.value}`);
      events.onmessage = ({ data }) => {
        events.close();
        const told = JSON.parse(data);
        if (!told.connection) return complain(told.error);
        call('onSuccess', told.connection);
        call('close');
      };
    });
  } else {
    // Twice sent would be twice connected.
    form?.addEventListener('submit', () => setTimeout(() => { if (button) button.disabled = true; }));
  }
  window.addEventListener('pageshow', () => { if (button) button.disabled = false; });
  document.querySelector('[aria-invalid]')?.focus();
  if (message && window.opener) window.close();
})();
