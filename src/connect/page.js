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
  // Twice sent would be twice connected.
  const button = document.querySelector('.actions button');
  document.querySelector('form')?.addEventListener('submit', () => setTimeout(() => { if (button) button.disabled = true; }));
  window.addEventListener('pageshow', () => { if (button) button.disabled = false; });
  document.querySelector('[aria-invalid]')?.focus();
  if (message && window.opener) window.close();
})();
