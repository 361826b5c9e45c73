using System.Runtime.InteropServices;
using Vfio.Core;
using Vfio.Native;

namespace Vfio.Tool.Migration;

/// <summary>A file that devices are saved in: it has its name only once it is whole and on the disk.</summary>
internal static class StateFile
{
    /// <summary>Makes sure that there is room for the name, before anything is done for it.</summary>
    public static void Check(string path)
    {
        if (Directory.Exists(path))
            throw new VfioException(Errno.EISDIR, $"{path} is a directory; name a file in it");
        if (Path.Exists(path))
            throw new VfioException(Errno.EEXIST, $"{path} exists; remove it, or name another file");
    }

    public static async Task<MigrationSummary> SaveAsync(MigrationSource source, string path, CancellationToken cancellationToken)
    {
        Check(path);
        var isPublished = false;
        var partial = path + ".partial";
        var file = new FileStream(partial, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            Options = FileOptions.Asynchronous,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        try
        {
            await using (file.ConfigureAwait(false))
            {
                return await source.SaveAsync(
                    file,
                    _ =>
                    {
                        file.Flush(flushToDisk: true);
                        File.Move(partial, path, overwrite: false);
                        isPublished = true;
                        Sync(Path.GetDirectoryName(Path.GetFullPath(path))!);
                        return ValueTask.CompletedTask;
                    },
                    cancellationToken).ConfigureAwait(false);
            }
        }
        catch
        {
            File.Delete(isPublished ? path : partial);
            throw;
        }
    }

    // A new name lasts once its directory is on the disk too.
    private static void Sync(string directory)
    {
        using var opened = Libc.open(directory, Libc.O_RDONLY | Libc.O_CLOEXEC);
        if (opened.IsInvalid || Libc.fdatasync(opened) < 0)
        {
            var error = (Errno)Marshal.GetLastPInvokeError();

            // Some file systems have nothing to sync there.
            if (error is not (Errno.EINVAL or Errno.EROFS))
                throw new VfioException(error, $"{directory} cannot be synced: {error}");
        }
    }

    public static async Task<MigrationSummary> RestoreAsync(
        MigrationDestination destination, string path, CancellationToken cancellationToken)
    {
        const FileOptions Options = FileOptions.Asynchronous | FileOptions.SequentialScan;
        var file = new FileStream(path, new FileStreamOptions { BufferSize = 64 << 10, Options = Options });
        await using (file.ConfigureAwait(false))
            return await destination.RestoreAsync(file, cancellationToken).ConfigureAwait(false);
    }
}
