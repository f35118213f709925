// At the beginning

colour();
zoom(0);
show();
say("");
watch("value", () => receive());
receive(true);
