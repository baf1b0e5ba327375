{
  'targets': [
    {
      'target_name': 'missd',
      'sources': [
        'src/address.cc',
        'src/asker.cc',
        'src/changes.cc',
        'src/binding.cc',
        'src/decode.cc',
        'src/decode_link.cc',
        'src/dump.cc',
        'src/dumper.cc',
        'src/encode.cc',
        'src/frames.cc',
        'src/from_js.cc',
        'src/js_calls.cc',
        'src/js_codec.cc',
        'src/js_dump.cc',
        'src/js_namespace.cc',
        'src/js_packed.cc',
        'src/named_sockets.cc',
        'src/namespace.cc',
        'src/netns.cc',
        'src/notify.cc',
        'src/packet.cc',
        'src/poll.cc',
        'src/request.cc',
        'src/sender.cc',
        'src/sender_tap.cc',
        'src/sighting.cc',
        'src/socket.cc',
        'src/tap.cc',
        'src/to_js.cc',
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      # napi_add_async_cleanup_hook is Node-API 8, which every Node >= 20 has.
      # An exception that comes up while a worker is being terminated cannot be thrown into it, and must not abort.
      # With ..._ALL the exceptions of the standard library become JavaScript errors as well, where JavaScript calls.
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        'NODE_ADDON_API_CPP_EXCEPTIONS_ALL',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'cflags': [
        '-Wall',
        '-Wextra',
        '-fvisibility=hidden',
        '-fstack-protector-strong',
        # Some compilers define it themselves, and a second definition is a warning.
        '-U_FORTIFY_SOURCE',
        '-D_FORTIFY_SOURCE=2',
      ],
      'ldflags': ['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
      'cflags_cc': ['-std=c++17', '-fexceptions'],
    }
  ]
}
