"""A small chat with Claude, as in many a quickstart. Run: streamlit run quickstart.py"""

import anthropic
import streamlit as st

st.title("Ask Claude")

client = anthropic.Anthropic()  # the key, and the base URL if there is one, come from the environment

if "messages" not in st.session_state:
    st.session_state.messages = []

for message in st.session_state.messages:
    with st.chat_message(message["role"]):
        st.markdown(message["content"])

if question := st.chat_input("Your question"):
    st.session_state.messages.append({"role": "user", "content": question})
    with st.chat_message("user"):
        st.markdown(question)
    with st.chat_message("assistant"):
        answer = client.messages.create(
            model="claude-sonnet-5",
            max_tokens=1024,
            messages=st.session_state.messages,
        )
        st.markdown(answer.content[0].text)
    st.session_state.messages.append({"role": "assistant", "content": answer.content[0].text})
