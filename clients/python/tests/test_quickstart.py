"""The unmodified quickstart, on an account of 5 requests a minute: with Weir and without.

Five people have the page open and ask twice, a question right after the answer to
the one before. Together that is twice what the account lets in at once.
"""

from house import EXAMPLES, eventually

PEOPLE, QUESTIONS = 5, ("What is a weir?", "And what is it good for?")
KEY = "sk-ant-api03-quickstart"


def ask(page, question):
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    box.press("Enter")


def answers(page):
    """The number of complete answers on a page."""
    if page.get_by_test_id("stApp").get_attribute("data-test-script-state") != "notRunning":
        return 0
    said = page.get_by_test_id("stChatMessageContent").all_inner_texts()
    return sum(1 for text in said[1::2] if text.strip())


def failed(page):
    return page.get_by_test_id("stException").count() > 0


def chat(pages, until):
    """Ask everything, everywhere; a page goes on as soon as it has its answer. Stop when until says so."""
    asked = dict.fromkeys(pages, 0)
    for page in pages:
        page.get_by_test_id("stChatInputTextArea").wait_for()

    def go_on():
        for page in pages:
            page.wait_for_timeout(20)
            if failed(page):
                continue
            done = asked[page]
            if done < len(QUESTIONS) and answers(page) >= done:
                ask(page, QUESTIONS[done])
                page.get_by_text(QUESTIONS[done]).wait_for()
                asked[page] += 1
        return until(pages)

    eventually(go_on, "the end of the chat", 240)


def test_without_weir_it_shows_the_429(run, browse, picture):
    sim = run.sim("newcomer")
    app = run.app(EXAMPLES / "quickstart.py", {"ANTHROPIC_BASE_URL": sim.url, "ANTHROPIC_API_KEY": KEY})
    pages = [browse(app.url) for _ in range(PEOPLE)]
    chat(pages, lambda pages: any(map(failed, pages)))
    page = next(filter(failed, pages))
    error = page.get_by_test_id("stException")
    assert "RateLimitError" in error.inner_text()
    assert "429" in error.inner_text()
    picture(error, "quickstart-without-weir", height=215)  # the traceback goes on with the paths of this machine


def test_through_weir_everybody_is_answered(run, browse, picture):
    sim = run.sim("newcomer")
    gateway = run.weir(sim.url)
    app = run.app(EXAMPLES / "quickstart.py", {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_API_KEY": KEY})
    pages = [browse(app.url) for _ in range(PEOPLE)]
    chat(pages, lambda pages: any(map(failed, pages)) or all(answers(p) == len(QUESTIONS) for p in pages))
    assert not any(map(failed, pages))
    assert [answers(p) for p in pages] == [len(QUESTIONS)] * PEOPLE
    picture(pages[0], "quickstart-through-weir")
