using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Running;

/// <summary>The descriptors of one vector: those that it brings, and those that replies brought.</summary>
internal sealed class ClientFiles : IDisposable
{
    private readonly Dictionary<string, SafeFileHandle> _files = [];

    public ClientFiles(IReadOnlyDictionary<string, FileSpec> specs)
    {
        foreach (var (name, spec) in specs)
            _files.Add(name, Make(name, spec));
    }

    public SafeFileHandle this[string name]
        => _files.TryGetValue(name, out var file) ? file : throw new KeyNotFoundException($"no descriptor came for {name}");

    /// <summary>Keeps the descriptors of a reply as NAME[0], NAME[1] and so on.</summary>
    public void Save(string name, IReadOnlyList<SafeFileHandle> descriptors)
    {
        for (var i = 0; i < descriptors.Count; i++)
            _files.Add($"{name}[{i}]", descriptors[i]);
    }

    /// <summary>An eventfd's counter, which is 0 afterwards.</summary>
    public ulong Take(string name) => EventFd.Consume(this[name]);

    public unsafe void Signal(string name, ulong by)
    {
        if (Libc.write(this[name], &by, sizeof(ulong)) != sizeof(ulong))
            throw VfioException.FromLibc($"write to {name}");
    }

    public byte[] Read(string name, ulong at, int length)
    {
        var bytes = new byte[length];
        RandomAccess.Read(this[name], bytes, (long)at);
        return bytes;
    }

    public void Write(string name, ulong at, ReadOnlySpan<byte> bytes) => RandomAccess.Write(this[name], bytes, (long)at);

    public unsafe bool AreSame(string first, string second)
    {
        statx_t one = default, other = default;
        // Each eventfd shares the one anonymous inode, so that the file itself must be asked for.
        return EventFd.Identity(this[first]) is { } identity ? identity == EventFd.Identity(this[second])
            : Stat(first, &one) == Stat(second, &other);
    }

    public void Dispose()
    {
        foreach (var file in _files.Values)
            file.Dispose();
    }

    private unsafe ulong Stat(string name, statx_t* result)
        => Libc.statx((int)this[name].DangerousGetHandle(), "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, result) == 0 ? result->stx_ino
            : throw VfioException.FromLibc($"statx of {name}");

    private static SafeFileHandle Make(string name, FileSpec spec)
    {
        var isMemory = spec.Kind != FileKind.EventFd;
        var file = isMemory ? Libc.memfd_create(name, Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING)
            : Libc.eventfd((uint)spec.Value, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        if (file.IsInvalid || (isMemory && Libc.ftruncate(file, (long)spec.Value) != 0)
            || (spec.Kind == FileKind.Memory && Libc.fcntl(file, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK) != 0))
            throw VfioException.FromLibc($"the descriptor {name}");
        return file;
    }
}
