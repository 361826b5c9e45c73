using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Vfio.Native.Tests;

/// <summary>Structures and constants against what the C compiler of this machine makes of the same headers.</summary>
public sealed class LayoutTests
{
    private static readonly (Type Type, string Name)[] Structures =
    [
        (typeof(iovec), "struct iovec"), (typeof(msghdr), "struct msghdr"), (typeof(cmsghdr), "struct cmsghdr"), (typeof(pollfd), "struct pollfd"),
        (typeof(sockaddr_un), "struct sockaddr_un"), (typeof(rlimit), "struct rlimit"),
        (typeof(statx_timestamp), "struct statx_timestamp"), (typeof(statx_t), "struct statx"),
    ];

    [Fact]
    public void Structures_are_laid_out_as_gcc_lays_them_out()
    {
        var lines = new List<string>();
        var expected = new List<string>();
        foreach (var (type, name) in Structures)
        {
            lines.Add($"printf(\"{type.Name} %zu\\n\", sizeof({name}));");
            expected.Add($"{type.Name} {Marshal.SizeOf(type)}");
            foreach (var field in Fields(type))
            {
                lines.Add($"printf(\"{type.Name}.{field.Name} %zu %zu\\n\", offsetof({name}, {field.Name}), sizeof((({name}*)0)->{field.Name}));");
                expected.Add($"{type.Name}.{field.Name} {Marshal.OffsetOf(type, field.Name)} {SizeOf(field)}");
            }
        }

        Assert.Equal(expected, Run(lines));
    }

    [Fact]
    public void Constants_have_the_headers_values()
    {
        var constants = typeof(Libc).GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral && f.Name != "SCM_MAX_FD").ToArray();
        Assert.True(constants.Length > 40);
        Assert.Equal(
            constants.Select(c => $"{c.Name} {Convert.ToInt64(c.GetRawConstantValue(), null)}"),
            Run(constants.Select(c => $"printf(\"{c.Name} %lld\\n\", (long long)({c.Name}));")));
    }

    [Fact]
    public void Lengths_of_control_messages_are_those_of_the_macros()
    {
        int[] lengths = [0, 1, 4, 8, 12, 253 * 4];
        Assert.Equal(
            lengths.Select(l => $"{Libc.CMSG_SPACE((nuint)l)} {Libc.CMSG_LEN((nuint)l)} {Libc.CMSG_ALIGN((nuint)l)}"),
            Run(lengths.Select(l => $"printf(\"%zu %zu %zu\\n\", (size_t)CMSG_SPACE({l}), (size_t)CMSG_LEN({l}), (size_t)CMSG_ALIGN({l}));")));
    }

    [Fact]
    public void An_epoll_event_is_packed_where_gcc_packs_it()
        => Assert.Equal(
            [$"{Epoll.EventSize} {Epoll.DataOffset}"],
            Run(["printf(\"%zu %zu\\n\", sizeof(struct epoll_event), offsetof(struct epoll_event, data));"]));

    // The reserved words between the fields hold no meaning, and their names are not the same everywhere.
    private static IEnumerable<FieldInfo> Fields(Type type)
        => type.GetFields(BindingFlags.Public | BindingFlags.Instance).Where(f => !f.Name.StartsWith("__", StringComparison.Ordinal));

    private static int SizeOf(FieldInfo field)
        => field.FieldType.IsPointer ? IntPtr.Size : Marshal.SizeOf(field.FieldType);

    private static string[] Run(IEnumerable<string> statements)
    {
        var folder = Directory.CreateTempSubdirectory("vfio-native-");
        try
        {
            var source = Path.Combine(folder.FullName, "layout.c");
            File.WriteAllText(source, $$"""
                #define _GNU_SOURCE
                #include <stddef.h>
                #include <stdio.h>
                #include <errno.h>
                #include <fcntl.h>
                #include <signal.h>
                #include <unistd.h>
                #include <poll.h>
                #include <sched.h>
                #include <sys/epoll.h>
                #include <sys/eventfd.h>
                #include <sys/file.h>
                #include <sys/ioctl.h>
                #include <sys/mman.h>
                #include <sys/resource.h>
                #include <sys/socket.h>
                #include <sys/stat.h>
                #include <sys/uio.h>
                #include <sys/un.h>
                #include <linux/falloc.h>
                #include <linux/kcmp.h>
                #ifndef F_DUPFD_QUERY
                #define F_DUPFD_QUERY 1027 /* Linux 6.10 */
                #endif
                int main(void) {
                {{string.Join('\n', statements)}}
                return 0; }
                """);
            var program = Path.Combine(folder.FullName, "layout");
            Start("gcc", "-o", program, source);
            return Start(program).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, error.GetAwaiter().GetResult());
            return output;
        }
        catch (System.ComponentModel.Win32Exception) when (program == "gcc")
        {
            Assert.Skip("gcc is not installed: nothing to hold the layouts against");
            throw;
        }
    }
}
