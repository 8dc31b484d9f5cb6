// Before the fake WhatsApp, which loads Baileys too: as in the server, what it inflates has to be bounded before.
import '../../src/channels/whatsapp/link/frame-bounds.ts';
