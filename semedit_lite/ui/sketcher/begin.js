// At the beginning

zoom(0);
show();
say("");
watch("value", () => receive());
receive(true);
