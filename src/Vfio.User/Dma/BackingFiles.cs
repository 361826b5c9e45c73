using Microsoft.Win32.SafeHandles;

namespace Vfio.User.Dma;

/// <summary>
/// The descriptors of one client's sealed files, one of each, so that whoever follows what is mapped can pass them on. Not needed to reach
/// the memory: where they run out there is none. Thread-safe.
/// </summary>
internal sealed class BackingFiles
{
    private readonly Lock _changing = new();
    private readonly Dictionary<OpenFileKey, OpenFile> _kept = [];
    private long _descriptors;

    /// <summary>Finds the file of a descriptor, or keeps the descriptor.</summary>
    /// <param name="descriptor">Of a file whose inode says which bytes it holds; always taken over.</param>
    /// <param name="key">What it is of.</param>
    /// <returns>The file, to be given back by <see cref="Release"/>; null: the client has as many as it may.</returns>
    public OpenFile? Take(SafeFileHandle descriptor, OpenFileKey key)
    {
        lock (_changing)
        {
            if (_kept.TryGetValue(key, out var file))
            {
                file.Users++;
            }
            else if (ProcessLimits.TryTakeBacking(ref _descriptors))
            {
                return _kept[key] = new OpenFile(key, descriptor);
            }

            descriptor.Dispose();
            return file;
        }
    }

    /// <summary>A map does not need the file any more; with the last one it is closed.</summary>
    public void Release(OpenFile file)
    {
        lock (_changing)
        {
            if (--file.Users != 0)
                return;
            _kept.Remove(file.Key);
            file.Handle.Dispose();
            ProcessLimits.ReturnBacking(ref _descriptors);
        }
    }
}
