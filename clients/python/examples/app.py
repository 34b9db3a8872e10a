"""A chat that shows its quota, speaks plainly when something fails, and reads long texts.

Run: streamlit run app.py. WEIR_ADMIN is Weir's admin address, if it is not the usual one.
"""

import os

import anthropic
import streamlit as st

from weir_streamlit import friendly_errors, quota_panel, split_and_ask, wrap

MODEL = "claude-sonnet-5"

st.set_page_config(page_title="Claude through Weir")


@st.cache_resource
def get_client():
    return wrap(anthropic.Anthropic())


@friendly_errors()
def answer(messages):
    """Stream the answer to the newest question, and keep it."""
    with get_client().messages.stream(
        model=MODEL,
        max_tokens=1024,
        messages=messages,
    ) as stream:
        text = st.write_stream(stream.text_stream)
    messages.append({"role": "assistant", "content": text})


def chat():
    messages = st.session_state.setdefault("messages", [])
    if question := st.chat_input("Your question"):
        messages.append({"role": "user", "content": question})
    for message in messages:
        with st.chat_message(message["role"]):
            st.markdown(message["content"])
    if messages and messages[-1]["role"] == "user":
        with st.chat_message("assistant"):
            answer(messages)


def long_text():
    text = st.text_area("A long text", height=200)
    question = st.text_input("What do you want to know about it?")
    size = st.number_input("Tokens a part", 50, 100_000, 6000)
    if st.button("Ask"):
        st.session_state.long = (text, question, int(size))
    if text and question and st.session_state.get("long") == (text, question, int(size)):
        result = split_and_ask(get_client(), text, question, model=MODEL, size=int(size))
        if result:
            st.markdown(result.text)
            st.caption(f"{len(result.parts)} parts, {result.input_tokens} tokens in, {result.output_tokens} out")


with st.sidebar:
    quota_panel(os.environ.get("WEIR_ADMIN", "http://127.0.0.1:8788"))

page = st.radio("Page", ["Chat", "A long text"], horizontal=True, label_visibility="collapsed")
if page == "Chat":
    chat()
else:
    long_text()
