"The tutorial in JupyterLab, in a browser, from a clean kernel."
import re, subprocess, sys

KERNEL = "from jupyter_client import KernelManager as K; print(K(kernel_name='python3').format_kernel_cmd()[0])"
DONE = """() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'
  && ![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('[*]'))"""

def test_kernel_is_this_python(lab_env):
    assert subprocess.run([sys.executable, '-c', KERNEL], env=lab_env, check=True, capture_output=True, text=True).stdout.strip() == sys.executable

def test_tutorial_runs_and_its_explorers_move(lab, page):
    page.goto(lab('nbs/tutorials/first_steps.ipynb'))
    page.wait_for_selector('.jp-Notebook .jp-Cell', timeout=60_000)
    # the notebook's indicator says idle before there is a kernel; the status bar does not
    page.locator('#jp-main-statusbar').get_by_text(re.compile(r'\| Idle$')).wait_for(timeout=90_000)
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
    explorer = page.locator('.mirnbdev-explorer')
    explorer.wait_for(state='attached', timeout=240_000)
    page.wait_for_function(DONE, timeout=240_000)
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.count() == 0, errors.all_inner_texts()
    picture = explorer.locator('img').first
    picture.scroll_into_view_if_needed()
    before = picture.get_attribute('src')
    explorer.locator('select').first.select_option(index=1)
    page.wait_for_function("b => { const i = document.querySelector('.mirnbdev-explorer img'); return i && i.src && i.getAttribute('src') !== b }",
                           arg=before, timeout=60_000)
    latents = page.locator('.mirnbdev-latents')
    latents.scroll_into_view_if_needed()
    before = latents.locator('img').first.get_attribute('src')
    latents.locator('.noUi-handle').nth(3).focus()
    page.keyboard.press('PageUp')
    page.wait_for_function("b => { const i = document.querySelector('.mirnbdev-latents img'); return i && i.getAttribute('src') !== b }", arg=before, timeout=60_000)
    sequence = latents.locator('input[type=text]').first
    sequence.fill('ACGXT'); sequence.press('Enter')
    latents.get_by_text('at position 4').wait_for(timeout=60_000)
