using Vfio.Core;

namespace Vfio.Tool.Migration;

/// <summary>A file that devices are saved in: it has its name only once it is whole and on the disk.</summary>
internal static class StateFile
{
    public static async Task<MigrationSummary> SaveAsync(MigrationSource source, string path, CancellationToken cancellationToken)
    {
        if (File.Exists(path))
            throw new VfioException(Errno.EEXIST, $"{path} exists; remove it, or name another file");
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
                        return ValueTask.CompletedTask;
                    },
                    cancellationToken).ConfigureAwait(false);
            }
        }
        catch
        {
            File.Delete(partial);
            throw;
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
