using Vfio.Simulation.Nvme.Storage;

namespace Vfio.Simulation;

/// <summary>Where namespaces without a file of their own are stored. Used while the topology is built.</summary>
internal sealed class StorageFolder(string? directory)
{
    private readonly HashSet<string> _paths = [];

    /// <summary>Opens the storage of a namespace.</summary>
    /// <param name="file">Its backing file; null for none of its own.</param>
    /// <param name="name">What else it goes by: unique in the topology.</param>
    /// <param name="size">Bytes.</param>
    /// <exception cref="VfioException">It cannot be had.</exception>
    internal NamespaceStorage Open(string? file, string name, long size)
    {
        if (file is not null)
            return OpenFile(file, Path.GetFullPath(directory ?? "."), size);
        if (directory is null)
            return NamespaceStorage.Open(Path.Combine(Path.GetTempPath(), $"vfio-{Guid.NewGuid():N}"), size, temporary: true);
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VfioException(Errno.EIO, $"storage directory {directory}: {e.Message}", e);
        }

        return OpenFile(name, Path.GetFullPath(directory), size);
    }

    private NamespaceStorage OpenFile(string file, string directory, long size)
    {
        if (file.Contains('\0'))
            throw new VfioException(Errno.EINVAL, "backing file: a path holds no null character");
        var path = Path.GetFullPath(file, directory);
        if (!_paths.Add(path))
            throw new VfioException(Errno.EEXIST, $"backing file {path} belongs to another namespace already");
        return NamespaceStorage.Open(path, size, temporary: false);
    }
}
