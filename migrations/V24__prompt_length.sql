-- A prompt may have 100 000 characters, ten times as many as before.

alter table sessions drop constraint sessions_initial_prompt_check;
alter table sessions add constraint sessions_initial_prompt_check check (char_length(initial_prompt) between 1 and 100000);
