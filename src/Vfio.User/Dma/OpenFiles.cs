using Microsoft.Win32.SafeHandles;

namespace Vfio.User.Dma;

/// <summary>
/// The descriptors of one client's files that are read and written by calls. A client sends the same one with every map; one is kept.
/// Thread-safe.
/// </summary>
internal sealed class OpenFiles
{
    private readonly Lock _changing = new();
    private readonly Dictionary<OpenFileKey, OpenFile> _shared = [];
    private long _descriptors;

    /// <summary>Finds the file of a descriptor, or keeps the descriptor.</summary>
    /// <param name="descriptor">Always taken over.</param>
    /// <param name="key">What it is of.</param>
    /// <param name="access">What will be done with it.</param>
    /// <returns>
    /// The file, to be given back by <see cref="Release"/>; EMFILE: the client has as many as it may; what the file system says.
    /// </returns>
    public VfioResult<OpenFile> Take(SafeFileHandle descriptor, OpenFileKey key, DmaAccess access)
    {
        lock (_changing)
        {
            if (_shared.TryGetValue(key, out var file) && file.IsSame(descriptor))
            {
                descriptor.Dispose();
                file.Users++;
            }
            else if (ProcessLimits.TryTakeDescriptor(ref _descriptors))
            {
                file = new OpenFile(key, descriptor);
                _shared[key] = file;
            }
            else
            {
                descriptor.Dispose();
                return Errno.EMFILE;
            }

            var error = file.Try(access);
            if (error == Errno.None)
                return file;
            Drop(file);
            return error;
        }
    }

    /// <summary>A map does not need the file any more; with the last one it is closed.</summary>
    public void Release(OpenFile file)
    {
        lock (_changing)
            Drop(file);
    }

    private void Drop(OpenFile file)
    {
        if (--file.Users != 0)
            return;
        if (_shared.TryGetValue(file.Key, out var found) && found == file)
            _shared.Remove(file.Key);
        file.Handle.Dispose();
        ProcessLimits.ReturnDescriptor(ref _descriptors);
    }
}
