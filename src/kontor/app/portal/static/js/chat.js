// Streams answers into the chat, and shows what a colleague answers as a human. Without it the form posts and the page
// comes back with the answer.

const chat = document.querySelector("[data-chat]");
const talk = chat.querySelector("[data-talk]");
const form = chat.querySelector("[data-composer]");
const input = form.querySelector("textarea");
const button = form.querySelector("button");
const blank = document.querySelector("template[data-message]").content.firstElementChild;
let conversation = chat.dataset.conversation;

const EVERY_MS = 5000;

const toEnd = () => { talk.scrollTop = talk.scrollHeight; };

const add = (role, who, text) => {
  const message = blank.cloneNode(true);
  message.dataset.role = role;
  message.querySelector(".who").textContent = who;
  message.querySelector(".who").hidden = !who;
  message.querySelector(".text").textContent = text;
  talk.append(message);
  toEnd();
  return message;
};

// Server-sent events as the OpenAI API writes them: `data: {json}` lines, comments while the assistant wakes up.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const data = line.slice(5).trim();
      if (data === "[DONE]") { yield { done: true }; return; }
      yield JSON.parse(data);
    }
  }
}

const problem = async (response) => {
  try { const said = await response.json(); return said.detail || said.error?.message || chat.dataset.failed; } catch { return chat.dataset.failed; }
};

const ask = async (text) => {
  const answer = add("assistant", chat.dataset.assistant, "");
  const shown = answer.querySelector(".text");
  answer.dataset.streaming = "";
  let ended = false;
  try {
    const response = await fetch(chat.dataset.path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        ...(conversation && { "kontor-conversation": conversation }),
      },
      body: JSON.stringify({ model: "assistant", stream: true, messages: [{ role: "user", content: text }] }),
    });
    if (!response.ok) throw new Error(await problem(response));
    conversation = response.headers.get("kontor-conversation") || conversation;
    form.elements.conversation.value = conversation;
    for await (const event of events(response.body)) {
      if (event.error) throw new Error(event.error.message);
      if (event.done) { ended = true; break; }
      shown.textContent += event.choices?.[0]?.delta?.content ?? "";
      toEnd();
    }
    if (!ended) add("failed", "", chat.dataset.cut);
  } catch (error) {
    add("failed", "", error instanceof TypeError ? chat.dataset.failed : error.message);
  } finally {
    delete answer.dataset.streaming;
    if (!shown.textContent) answer.remove();
  }
};

// What the server has: who really spoke, at what time. A message that did not arrive stays visible below it.
const refresh = async () => {
  const known = talk.querySelector("[data-said]");
  const response = await fetch(`/chat?part=talk&seen=${known.dataset.last}`, { headers: { accept: "text/html" } });
  if (response.status !== 200 || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const said = page.querySelector("[data-said]");
  if (!said) return;
  const wasAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
  for (const message of talk.querySelectorAll(":scope > .said:not([data-role=failed])")) message.remove();
  known.replaceWith(said);
  const isWithHuman = Boolean(said.dataset.isWithHuman);
  chat.querySelector("[data-with-human]").hidden = !isWithHuman;
  chat.querySelector("[data-with-assistant]").hidden = isWithHuman;
  if (wasAtEnd) toEnd();
};

const look = async () => {
  if (!conversation || button.disabled || document.hidden) return;
  try { await refresh(); } catch { /* the next look will tell */ }
};
setInterval(look, EVERY_MS);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  event.stopImmediatePropagation();
  const text = input.value.trim();
  if (!text || button.disabled) return;
  input.value = "";
  button.disabled = true;
  talk.setAttribute("aria-busy", "true");
  add("user", "", text);
  await ask(text);
  talk.removeAttribute("aria-busy");
  button.disabled = false;
  await look();
  input.focus();
});

input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

toEnd();
